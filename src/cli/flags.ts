/**
 * Command-line flags from a list of what a command takes: long names, one value each, strict.
 * Does not know any command, and does not judge values beyond "is there one".
 */
import { parseArgs } from 'node:util';
import { inputError } from '../errors.ts';
import { nearestName } from '../nearest.ts';

/**
 * One flag. `kind`: `switch` takes no value; `file?` takes the next word only where that ends in `.safetensors`, so
 * that it may stand before a prompt; `number` gives a number where the word is one, else the word for the schema to refuse.
 */
export type Flag = { name: string; kind: 'text' | 'number' | 'switch' | 'file?'; value: string; about: string };

export type FlagValue = string | number | boolean;

/** What was given: values by flag name, and the words that belong to no flag. */
export type ParsedFlags = { values: Record<string, FlagValue>; words: string[] };

const SHORT = { h: 'help' } as const;

/**
 * Reads `args` for `command`.
 * @throws input error for an unknown flag (naming the nearest), one given twice, and a value too many or too few.
 */
export function parseFlags(command: string, args: readonly string[], flags: readonly Flag[]): ParsedFlags {
  const known = new Map(flags.map((flag) => [flag.name, flag]));
  const options = Object.fromEntries(
    flags.map(({ name, kind }) => [
      name,
      { type: kind === 'text' || kind === 'number' ? 'string' : 'boolean' } as const,
    ]),
  );
  const spelled = args.map((arg) => (arg in SHORT_FLAGS ? SHORT_FLAGS[arg]! : arg));
  const { tokens } = parseArgs({ args: spelled, options, strict: false, allowPositionals: true, tokens: true });
  const values: Record<string, FlagValue> = {};
  const words: string[] = [];
  const taken = new Set<number>();
  for (const token of tokens) {
    if (token.kind === 'positional' && !taken.has(token.index)) words.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, rawName, value, inlineValue, index } = token;
    const flag = known.get(name);
    if (!flag || rawName !== `--${name}`) throw unknownFlag(command, rawName, flags);
    if (Object.hasOwn(values, name)) throw inputError(command, `${rawName} must be given once`);
    switch (flag.kind) {
      case 'switch':
        if (value !== undefined) throw inputError(command, `${rawName} takes no value`, value);
        values[name] = true;
        break;
      case 'file?': {
        const next = spelled[index + 1];
        const isFile = value === undefined && next?.endsWith('.safetensors') === true && !next.startsWith('--');
        if (isFile) taken.add(index + 1);
        values[name] = isFile ? next : (value ?? true);
        break;
      }
      case 'text':
      case 'number':
        if (value === undefined || (!inlineValue && value.startsWith('--'))) {
          throw inputError(command, `${rawName} needs a value: ${flag.value}`);
        }
        values[name] = flag.kind === 'number' ? numberOrWord(value) : value;
        break;
      default:
        flag.kind satisfies never;
    }
  }
  return { values, words };
}

const SHORT_FLAGS: Record<string, string> = Object.fromEntries(
  Object.entries(SHORT).map(([letter, name]) => [`-${letter}`, `--${name}`]),
);

function numberOrWord(text: string): number | string {
  if (text.trim() === '') return text;
  const value = Number(text);
  return Number.isNaN(value) && text.toLowerCase() !== 'nan' ? text : value;
}

function unknownFlag(command: string, rawName: string, flags: readonly Flag[]): Error {
  const names = flags.map(({ name }) => name);
  const nearest = nearestName(rawName.replace(/^-+/, ''), names);
  const hint =
    nearest === undefined ? `step-video help ${command === 'step-video' ? '' : command}`.trim() : `--${nearest}`;
  return inputError(command, `unknown flag ${rawName}`, undefined, hint);
}

/** Flags as the lines of a help text, values aligned. */
export function describeFlags(flags: readonly Flag[]): string {
  const left = flags.map(({ name, kind, value }) => `--${name}${kind === 'switch' ? '' : ` ${value}`}`);
  const width = Math.min(26, Math.max(...left.map((text) => text.length)));
  return flags
    .map(({ about }, i) => {
      const head = left[i]!;
      return head.length > width ? `  ${head}\n  ${' '.repeat(width)}  ${about}` : `  ${head.padEnd(width)}  ${about}`;
    })
    .join('\n');
}
