/**
 * Small grammars for captions: each symbol has alternatives, texts in which `{symbol}` stands for a text of that symbol.
 * Draws a text, gives the plainest one, lists the words, and tells whether a text can be drawn at all. No recursion of symbols.
 * Does not know any language.
 */
import { internalError } from '../errors.ts';
import type { Random } from './random.ts';

/** Alternatives that are equally likely, or each with its weight; weight 0 is never drawn. */
export type Rule = readonly string[] | Readonly<Record<string, number>>;

/** Rules by symbol. */
export type Rules = Readonly<Record<string, Rule>>;

/** Sets of rules, each symbol having its rule in one of them. Every symbol that can be drawn must have alternatives. */
export type Grammar = readonly Rules[];

/** `make` with what it made kept by its arguments: rules depend on few things, and captions are drawn by the hundred thousand. */
export function kept<A extends readonly (string | boolean | undefined)[]>(
  make: (...of: A) => Rules,
): (...of: A) => Rules {
  const made = new Map<string, Rules>();
  return (...of) => {
    const key = of.join();
    let rules = made.get(key);
    if (rules === undefined) {
      rules = make(...of);
      made.set(key, rules);
    }
    return rules;
  };
}

/** Draws of a text before one that is too long is taken after all. */
const TRIES = 20;

/**
 * A text of `symbol`, of at most `longest` words and marks unless nearly all are longer; advances `random`. A symbol that
 * comes twice has the same text both times.
 */
export function drawText(grammar: Grammar, symbol: string, random: Random, longest = Number.POSITIVE_INFINITY): string {
  let text = '';
  for (let i = 0; i < TRIES; i++) {
    text = expand(grammar, symbol, (rule) => pick(rule, random));
    if (wordsAndMarks(text).length <= longest) break;
  }
  return text;
}

/** Words as spaces and marks separate them, and the marks. */
export const wordsAndMarks = (text: string): readonly string[] => text.match(/[\p{L}\p{N}]+|[^\p{L}\p{N}\s]/gu) ?? [];

/** The text of `symbol` that takes the first alternative everywhere. */
export function plainestText(grammar: Grammar, symbol: string): string {
  return expand(grammar, symbol, (rule) => alternativesOf(rule).texts[0]!);
}

/** Pieces of text between the symbols of everything that `symbol` can become, each once. */
export function fragmentsOf(grammar: Grammar, symbol: string): Set<string> {
  const found = new Set<string>();
  const visited = new Set<string>();
  const visit = (name: string): void => {
    if (visited.has(name)) return;
    visited.add(name);
    for (const text of alternativesOf(ruleOf(grammar, name)).texts) {
      for (const [i, part] of partsOf(text).entries()) i % 2 === 1 ? visit(part) : found.add(part);
    }
  };
  visit(symbol);
  found.delete('');
  return found;
}

/**
 * A pattern that every text of `symbol` matches as a whole. It also matches texts in which a symbol that comes twice has
 * two texts, so what it does not match can never be drawn.
 */
export function patternOf(grammar: Grammar, symbol: string): RegExp {
  const sources = new Map<string, string>();
  const sourceOf = (name: string): string => {
    const known = sources.get(name);
    if (known !== undefined) return known;
    const texts = alternativesOf(ruleOf(grammar, name)).texts.map((text) =>
      partsOf(text)
        .map((part, i) => (i % 2 === 1 ? sourceOf(part) : part.replace(/[.*+?^$()[\]\\|]/g, '\\$&')))
        .join(''),
    );
    const source = `(?:${texts.join('|')})`;
    sources.set(name, source);
    return source;
  };
  return new RegExp(`^${sourceOf(symbol)}$`);
}

function expand(grammar: Grammar, symbol: string, choose: (rule: Rule) => string): string {
  const texts = new Map<string, string>();
  const textOf = (name: string): string => {
    const known = texts.get(name);
    if (known !== undefined) return known;
    const parts = partsOf(choose(ruleOf(grammar, name)));
    const text = parts.map((part, i) => (i % 2 === 1 ? textOf(part) : part)).join('');
    texts.set(name, text);
    return text;
  };
  return textOf(symbol);
}

function ruleOf(grammar: Grammar, symbol: string): Rule {
  for (const rules of grammar) {
    const rule = rules[symbol];
    if (rule !== undefined) return rule;
  }
  throw internalError('caption grammar', 'every symbol must have a rule', symbol);
}

type Alternatives = { readonly texts: readonly string[]; readonly weights: readonly number[]; readonly total: number };

const read = new WeakMap<Rule, Alternatives>();

/** The alternatives of a rule that can be drawn. */
function alternativesOf(rule: Rule): Alternatives {
  let found = read.get(rule);
  if (found === undefined) {
    const weighted = Array.isArray(rule) ? rule.map((text) => [text, 1] as const) : Object.entries(rule);
    const possible = weighted.filter(([, weight]) => weight > 0);
    const weights = possible.map(([, weight]) => weight);
    found = { texts: possible.map(([text]) => text), weights, total: weights.reduce((sum, weight) => sum + weight, 0) };
    read.set(rule, found);
  }
  return found;
}

function pick(rule: Rule, random: Random): string {
  const { texts, weights, total } = alternativesOf(rule);
  let left = random.uniform() * total;
  const at = weights.findIndex((weight) => {
    left -= weight;
    return left < 0;
  });
  return texts.at(at)!; // rounding may leave a little at the end: -1 is the last alternative
}

const parsed = new Map<string, readonly string[]>();

/** Text, symbol, text, … symbol, text. */
function partsOf(text: string): readonly string[] {
  let parts = parsed.get(text);
  if (parts === undefined) {
    parts = text.split(/\{(\w+)\}/);
    parsed.set(text, parts);
  }
  return parts;
}
