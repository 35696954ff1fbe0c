/**
 * A run's state on disk: weights, moments, averages and position, all in one safetensors file, replaced atomically.
 * Resuming from it goes on bit for bit, since data and noise are functions of the step.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { checkpointError } from '../errors.ts';
import type { Value } from '../runtime/value.ts';
import { openSafetensors } from '../weights/safetensors.ts';
import { writeSafetensors } from '../weights/safetensors-writer.ts';
import type { Parameter } from './parameters.ts';

export type Position = { readonly step: number; readonly seconds: number; readonly best: number | undefined };

const stateFile = (folder: string): string => path.join(folder, 'state.safetensors');

type Slot = { readonly name: string; readonly value: Value };

function slots(parameters: readonly Parameter[], frozen: ReadonlyMap<string, Value>): Slot[] {
  const trained = parameters.flatMap((p) => [
    { name: `weight:${p.name}`, value: p.value },
    { name: `moment:${p.name}`, value: p.moment },
    ...(p.variance ? [{ name: `variance:${p.name}`, value: p.variance }] : []),
    ...(p.average ? [{ name: `average:${p.name}`, value: p.average }] : []),
  ]);
  const names = new Set(parameters.map((p) => p.name));
  const rest = [...frozen]
    .filter(([name]) => !names.has(name))
    .map(([name, value]) => ({ name: `weight:${name}`, value }));
  return [...trained, ...rest];
}

export async function saveState(
  folder: string,
  state: { parameters: readonly Parameter[]; values: ReadonlyMap<string, Value>; position: Position },
): Promise<void> {
  const tensors = slots(state.parameters, state.values).map(({ name, value }) => ({
    name,
    dtype: 'F32' as const,
    shape: [...value.shape],
    data: value.data as Float32Array,
  }));
  await writeSafetensors(stateFile(folder), tensors, { position: JSON.stringify(state.position) });
}

export const hasState = (folder: string): boolean => existsSync(stateFile(folder));

/** Reads a state into the parameters' own buffers; it must be of the same architecture and optimizer. */
export async function restoreState(
  folder: string,
  state: { parameters: readonly Parameter[]; values: ReadonlyMap<string, Value> },
): Promise<Position> {
  const source = await openSafetensors(stateFile(folder));
  for (const { name, value } of slots(state.parameters, state.values)) {
    const entry = source.tensors.get(name);
    if (entry === undefined || entry.shape.join() !== value.shape.join())
      throw checkpointError(
        `resume ${stateFile(folder)}`,
        `${name} must be [${value.shape.join(', ')}]`,
        entry?.shape ?? 'nothing',
        'the config of the run that wrote it, or another run name',
      );
    (value.data as Float32Array).set(await source.readFloat32(entry));
  }
  await source.close();
  return JSON.parse(source.metadata['position'] ?? '{}') as Position;
}
