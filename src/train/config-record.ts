/**
 * The config that a run ran with, kept in its folder, and what differs between two of them field by field.
 * Knows JSON, not what the fields mean.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { replaceFile, writingErrors } from './disk.ts';

/** One field by its path, `groups.0.lr`; a side that lacks it is undefined. */
export type ConfigChange = { readonly field: string; readonly from?: unknown; readonly to?: unknown };

const configFile = (folder: string): string => path.join(folder, 'config.json');

/** Writes `config` into the run's folder. @throws environment error where the disk refuses. */
export function keepConfig(folder: string, config: object): Promise<void> {
  return writingErrors(folder, () => replaceFile(configFile(folder), `${JSON.stringify(config, null, 2)}\n`));
}

/** The config that the run in `folder` last ran with; undefined where none was kept or it does not read. */
export async function keptConfig(folder: string): Promise<object | undefined> {
  try {
    const json: unknown = JSON.parse(await readFile(configFile(folder), 'utf8'));
    return typeof json === 'object' && json !== null ? json : undefined;
  } catch {
    return undefined;
  }
}

/** Fields of `from` and `to` that are not the same, in the order of their config. */
export function configChanges(from: object, to: object): ConfigChange[] {
  const [before, after] = [new Map(leaves(from)), new Map(leaves(to))];
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((field) => {
    const [a, b] = [before.get(field), after.get(field)];
    return JSON.stringify(a) === JSON.stringify(b) ? [] : [{ field, from: a, to: b }];
  });
}

/** Lists of plain values are one leaf: half a list says nothing. */
function leaves(value: unknown, at: readonly string[] = []): [field: string, value: unknown][] {
  const isPlain = (x: unknown): boolean => typeof x !== 'object' || x === null;
  if (isPlain(value) || (Array.isArray(value) && value.every(isPlain))) return [[at.join('.'), value]];
  return Object.entries(value as object).flatMap(([name, inner]) => leaves(inner, [...at, name]));
}
