/**
 * Holds tensors against expected names and shapes. A checkpoint loads only if all are there and nothing is left over.
 * Does not know where expectations come from; the manifests or a model's own parameters will do.
 */
import { basename } from 'node:path';
import { checkpointError } from '../errors.ts';
import type { TensorEntry, TensorSource } from './tensor-entry.ts';

export type Misshapen = {
  readonly name: string;
  readonly file: string;
  readonly expected: readonly number[];
  readonly found: readonly number[];
};

export type Match = {
  readonly expected: number;
  readonly matched: number;
  readonly missing: readonly string[];
  readonly extra: readonly string[];
  readonly misshapen: readonly Misshapen[];
};

/** Compares without judging. */
export function compareTensors(
  expected: ReadonlyMap<string, readonly number[]>,
  tensors: ReadonlyMap<string, TensorEntry>,
): Match {
  const missing: string[] = [];
  const misshapen: Misshapen[] = [];
  for (const [name, shape] of expected) {
    const entry = tensors.get(name);
    if (entry === undefined) missing.push(name);
    else if (entry.shape.length !== shape.length || entry.shape.some((d, axis) => d !== shape[axis]))
      misshapen.push({ name, file: entry.file, expected: shape, found: entry.shape });
  }
  const extra = [...tensors.keys()].filter((name) => !expected.has(name));
  const matched = expected.size - missing.length - misshapen.length;
  return { expected: expected.size, matched, missing, extra, misshapen };
}

/** Passes if `source` holds exactly the expected tensors; else throws one checkpoint error with counts and the first 8 of each kind. */
export function matchExpected(expected: ReadonlyMap<string, readonly number[]>, source: TensorSource): void {
  const { matched, missing, extra, misshapen } = compareTensors(expected, source.tensors);
  if (missing.length + extra.length + misshapen.length === 0) return;
  const shapes = misshapen.map(
    ({ name, file, expected: want, found }) =>
      `${name} [${found.join(', ')}] instead of [${want.join(', ')}] in ${basename(file)}`,
  );
  const parts = [list('missing', missing), list('left over', extra), list('misshapen', shapes)].filter(
    (part) => part !== '',
  );
  const hint =
    matched === 0
      ? 'the file of the right component'
      : misshapen.length > 0
        ? 'the config.json that came with these weights'
        : missing.length > 0
          ? 'the config.json that came with these weights, or downloading all of them again'
          : 'the config.json that came with these weights, or a file without other tensors';
  throw checkpointError(
    `checkpoint ${source.path}`,
    `its tensors must be the ${expected.size} of the config, no more and no fewer: ${parts.join('; ')}`,
    undefined,
    hint,
  );
}

const shown = 8;

function list(what: string, items: readonly string[]): string {
  if (items.length === 0) return '';
  const rest = items.length > shown ? `, … ${items.length - shown} more` : '';
  return `${items.length} ${what} (${items.slice(0, shown).join(', ')}${rest})`;
}
