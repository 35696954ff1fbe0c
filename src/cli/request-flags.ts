/**
 * The request schema as flags, both ways: flags of `generate` from its fields, and a request from what was given.
 * Adds no rule of its own.
 */
import { inputError } from '../errors.ts';
import { type GenerateRequest, parseRequest, requestFields } from '../request.ts';
import type { Flag, FlagValue } from './flags.ts';

const NUMBER_VALUES = new Set(['N', 'X']);

/** The one field that is not a flag: it is the word after the command. */
const POSITIONAL = 'prompt';

const shown = requestFields()
  .filter(([field]) => field !== POSITIONAL)
  .map(([field, { flag = field, value, about }]) => ({ field, flag, value, about }));

/** Flags of every field of a request but the prompt. */
export const REQUEST_FLAGS: readonly Flag[] = shown.map(({ flag, value, about }) => {
  const kind = NUMBER_VALUES.has(value) ? 'number' : value === '[FILE]' ? 'file?' : 'text';
  return { name: flag, kind, value, about };
});

/**
 * The request that flags and words make.
 * @throws input error that names flags, not fields.
 */
export function requestFromFlags(values: Record<string, FlagValue>, words: readonly string[]): GenerateRequest {
  if (words.length > 1) {
    throw inputError('generate', 'the prompt must be one argument', words.join(' '), `"${words.join(' ')}"`);
  }
  const input: Record<string, unknown> = words.length === 1 ? { prompt: words[0] } : {};
  for (const { field, flag } of shown) {
    if (Object.hasOwn(values, flag)) input[field] = values[flag];
  }
  return parseRequest(input, (field) => {
    const flag = shown.find((row) => row.field === field)?.flag;
    return flag === undefined ? field : `--${flag}`;
  });
}
