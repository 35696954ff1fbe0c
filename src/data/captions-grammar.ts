/**
 * Small grammars for captions: each symbol has alternatives, texts in which `{symbol}` stands for a text of that symbol.
 * Draws a text, gives the plainest one, lists the words, and tells whether a text can be drawn at all. No recursion of symbols.
 * Does not know any language.
 */
import { internalError } from '../errors.ts';
import type { Random } from './random.ts';

/** Alternatives that are equally likely, or each with its weight; weight 0 is never drawn. */
export type Rule = readonly string[] | Readonly<Record<string, number>>;

/** Rules by symbol. Every symbol that an alternative names must have one, with at least one alternative. */
export type Grammar = Readonly<Record<string, Rule>>;

/** A text of `symbol`; advances `random`. A symbol that comes twice has the same text both times. */
export function drawText(grammar: Grammar, symbol: string, random: Random): string {
  return expand(grammar, symbol, (rule) => pick(rule, random));
}

/** The text of `symbol` that takes the first alternative everywhere. */
export function plainestText(grammar: Grammar, symbol: string): string {
  return expand(grammar, symbol, (rule) => alternatives(rule)[0]!);
}

/** Pieces of text between the symbols of everything that `symbol` can become, each once. */
export function fragmentsOf(grammar: Grammar, symbol: string): Set<string> {
  const found = new Set<string>();
  const visited = new Set<string>();
  const visit = (name: string): void => {
    if (visited.has(name)) return;
    visited.add(name);
    for (const text of alternatives(ruleOf(grammar, name))) {
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
    const texts = alternatives(ruleOf(grammar, name)).map((text) =>
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
  const rule = grammar[symbol];
  if (rule === undefined) throw internalError('caption grammar', 'every symbol must have a rule', symbol);
  return rule;
}

const isList = (rule: Rule): rule is readonly string[] => Array.isArray(rule);

const alternatives = (rule: Rule): readonly string[] =>
  isList(rule) ? rule : Object.keys(rule).filter((text) => rule[text]! > 0);

function pick(rule: Rule, random: Random): string {
  if (isList(rule)) return random.pick(rule);
  const entries = Object.entries(rule);
  let left = random.uniform() * entries.reduce((sum, [, weight]) => sum + weight, 0);
  // Rounding may leave a little at the end: the last alternative of any weight takes it.
  let last = '';
  for (const [text, weight] of entries) {
    if (weight <= 0) continue;
    last = text;
    left -= weight;
    if (left < 0) break;
  }
  return last;
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
