/**
 * A run's state on disk: weights, moments, averages and position, all in one safetensors file, replaced atomically.
 * Resuming from it goes on bit for bit, since data and noise are functions of the step.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { checkpointError, StepVideoError } from '../errors.ts';
import { floats, type Value } from '../runtime/value.ts';
import { sameShape } from '../tensor/index.ts';
import { openSafetensors } from '../weights/safetensors.ts';
import { writeSafetensors } from '../weights/safetensors-writer.ts';
import type { Parameter } from './parameters.ts';

/** Steps done, seconds that they took, and the best score of their validations. */
export type Position = { readonly step: number; readonly seconds: number; readonly best: number | undefined };

/** What a state holds; restoring writes into these very buffers. `values` are all weights, frozen ones too. */
export type Trained = { readonly parameters: readonly Parameter[]; readonly values: ReadonlyMap<string, Value> };

const positionSchema = z.object({ step: z.int().nonnegative(), seconds: z.number(), best: z.number().optional() });

const stateFile = (folder: string): string => path.join(folder, 'state.safetensors');

export const hasState = (folder: string): boolean => existsSync(stateFile(folder));

function slots({ parameters, values }: Trained): Map<string, Value> {
  const all = new Map([...values].map(([name, value]) => [`weight:${name}`, value]));
  for (const { name, moment, variance, average } of parameters) {
    all.set(`moment:${name}`, moment);
    if (variance) all.set(`variance:${name}`, variance);
    if (average) all.set(`average:${name}`, average);
  }
  return all;
}

/** @throws numeric error, and writes nothing, where a number is not finite; environment error where the disk refuses. */
export async function saveState(folder: string, state: Trained & { position: Position }): Promise<void> {
  const tensors = [...slots(state)].map(([name, value]) => {
    const data = floats(value);
    const bad = data.findIndex((x) => !Number.isFinite(x));
    if (bad >= 0)
      throw new StepVideoError(
        'numeric',
        `train step ${state.position.step}`,
        `${name} must be finite`,
        data[bad],
        `a lower learning rate; an older state in ${folder} is left as it is`,
      );
    return { name, dtype: 'F32' as const, shape: [...value.shape], data };
  });
  await writeSafetensors(stateFile(folder), tensors, { position: JSON.stringify(state.position) });
}

/**
 * Reads a state into the buffers of `state`.
 * @throws checkpoint error where it is not of exactly these parameters, shapes and optimizers.
 */
export async function restoreState(folder: string, state: Trained): Promise<Position> {
  const file = stateFile(folder);
  const refuse = (rule: string, got: unknown): never => {
    throw checkpointError(`resume ${file}`, rule, got, 'the config of the run that wrote it, or another run name');
  };
  const source = await openSafetensors(file);
  try {
    const expected = slots(state);
    for (const [name, { shape }] of expected) {
      const entry = source.tensors.get(name);
      if (entry === undefined || !sameShape(entry.shape, shape))
        refuse(`${name} must be [${shape.join(', ')}]`, entry?.shape ?? 'nothing');
    }
    for (const name of source.tensors.keys()) if (!expected.has(name)) refuse('every tensor must have a place', name);
    const position = positionSchema.safeParse(parseJson(source.metadata['position']));
    if (!position.success) return refuse('it must say where the run stands', source.metadata['position'] ?? 'nothing');
    for (const [name, value] of expected) floats(value).set(await source.readFloat32(source.tensors.get(name)!));
    return { ...position.data, best: position.data.best };
  } finally {
    await source.close();
  }
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
