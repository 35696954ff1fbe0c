/**
 * Flags that all benches share. `--tiny` shows that a bench runs; its numbers mean nothing.
 */
import { parseArgs } from 'node:util';
import { inputError } from '../../src/errors.ts';

export type BenchFlags = {
  readonly rounds: number;
  readonly tiny: boolean;
  /** Threads within an op; all cores where undefined. */
  readonly threads: number | undefined;
  /** Model of whole generations: a directory or a shipped name. */
  readonly model: string | undefined;
  /** Denoising steps of whole generations; the model's preset where undefined. */
  readonly steps: number | undefined;
  /** The built training data, for benches that score; where commands look for it if undefined. */
  readonly data: string | undefined;
};

const USAGE = '[--rounds N] [--tiny] [--threads N] [--model DIR] [--steps N] [--data DIR]';

/** @throws input error for an unknown flag or a number that is not whole and positive. */
export function benchFlags(defaults: { rounds: number }, argv = process.argv.slice(2)): BenchFlags {
  const text = { type: 'string' } as const;
  const options = {
    rounds: text,
    threads: text,
    model: text,
    steps: text,
    data: text,
    tiny: { type: 'boolean' },
  } as const;
  const values = parsed(() => parseArgs({ args: argv, options }).values);
  const { rounds = String(defaults.rounds), threads, steps, model, data, tiny = false } = values;
  return {
    rounds: count('rounds', rounds)!,
    threads: count('threads', threads),
    steps: count('steps', steps),
    model,
    data,
    tiny,
  };
}

function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw inputError('bench', (error as Error).message, undefined, USAGE);
  }
}

function count(flag: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^[1-9]\d*$/.test(value)) throw inputError('bench', `--${flag} must be a whole number from 1`, value);
  return Number(value);
}
