/**
 * Reads a recorded set: NAME.safetensors with the numbers, NAME.json with config, deviations and how large tensors were sampled.
 * Does not know what the numbers mean.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { checkpointError } from '../errors.ts';
import { float32, floats, int32, type Value } from '../runtime/value.ts';
import { sameShape } from '../tensor/index.ts';
import { openSafetensors } from '../weights/safetensors.ts';
import type { TensorSource } from '../weights/tensor-entry.ts';
import type { SampledRecord } from './compare.ts';

const deviation = z.looseObject({ abs_max: z.number(), float64: z.number(), 'float64_99.9%': z.number().optional() });
const stats = z.object({ l2: z.number(), sum: z.number(), dot: z.number() });
const description = z.looseObject({
  set: z.string().optional(),
  config: z.record(z.string(), z.unknown()).optional(),
  weights: z.string().optional(),
  definitions: z.union([z.string(), z.record(z.string(), z.string())]).optional(),
  tensors: z
    .record(z.string(), z.looseObject({ shape: z.array(z.number()), what: z.string().default('') }))
    .default({}),
  stats: z.record(z.string(), stats).default({}),
  max_abs_deviation_of_fp32: z.record(z.string(), deviation).default({}),
});

export type Stats = z.infer<typeof stats>;
export type Deviation = z.infer<typeof deviation>;

export interface RecordedSet {
  /** Directory of the recordings, from which the set's other files are named. */
  readonly dir: string;
  readonly name: string;
  readonly info: z.infer<typeof description>;
  readonly names: ReadonlySet<string>;
  /** A tensor as float32, or int32 where it was stored as whole numbers. */
  read(name: string): Promise<Value>;
  /** How far the recorded float32 numbers lie from float64; undefined where that was not recorded. */
  deviation(name: string): Deviation | undefined;
  /** Of the whole tensor, where only a sample was stored. */
  stats(name: string): Stats | undefined;
  /** What its description says a tensor is. */
  about(name: string): string;
  /** Tensors that nobody has read: what a comparison has forgotten. */
  unread(): string[];
  /** Closes `source` too when the set closes. */
  alsoClose(source: Pick<TensorSource, 'close'>): void;
  close(): Promise<void>;
}

/** Opens set `name` of directory `dir`. Throws a checkpoint error that names the file, also where it lacks a tensor that it describes. */
export async function openRecordedSet(dir: string, name: string): Promise<RecordedSet> {
  const file = join(dir, `${name}.json`);
  const parsed = description.safeParse(await readJson(file));
  if (!parsed.success)
    throw checkpointError(`recorded set ${file}`, 'must describe its tensors', parsed.error.issues[0]?.message);
  const info = parsed.data;
  const source = await openSafetensors(join(dir, `${name}.safetensors`));
  for (const [tensor, { shape }] of Object.entries(info.tensors)) {
    const found = source.tensors.get(tensor)?.shape;
    if (found === undefined || !sameShape(found, shape))
      throw checkpointError(
        `recorded set ${source.path}`,
        `must hold ${tensor} [${shape.join(', ')}]`,
        found ?? 'nothing',
      );
  }
  const unread = new Set(source.tensors.keys());
  const opened: Pick<TensorSource, 'close'>[] = [source];
  return {
    dir,
    name,
    info,
    names: new Set(source.tensors.keys()),
    async read(tensor) {
      const entry = source.tensors.get(tensor);
      if (entry === undefined) throw checkpointError(`recorded set ${source.path}`, `must hold ${tensor}`, 'nothing');
      unread.delete(tensor);
      const data = await source.readFloat32(entry);
      return /^[IU]/.test(entry.dtype) ? int32(Int32Array.from(data), entry.shape) : float32(data, entry.shape);
    },
    deviation: (tensor) => info.max_abs_deviation_of_fp32[tensor],
    stats: (tensor) => info.stats[tensor],
    about: (tensor) => info.tensors[tensor]?.what ?? '',
    unread: () => [...unread],
    alsoClose: (other) => void opened.push(other),
    async close() {
      await Promise.all(opened.map((each) => each.close()));
    },
  };
}

/**
 * Opens a set for `use` and closes it, come what may. Throws a checkpoint error unless every tensor of the set has been read,
 * since what nobody reads nobody compares.
 */
export async function withRecordedSet<T>(
  dir: string,
  name: string,
  use: (recorded: RecordedSet) => Promise<T>,
): Promise<T> {
  const recorded = await openRecordedSet(dir, name);
  try {
    const result = await use(recorded);
    const unread = recorded.unread();
    if (unread.length > 0)
      throw checkpointError(`recorded set ${name}`, 'must hold only tensors that are compared', unread.join(', '));
    return result;
  } finally {
    await recorded.close();
  }
}

/** Parsed JSON of `file`. Throws a checkpoint error that names it. */
export async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw checkpointError(`recorded set ${file}`, 'must be readable JSON', (error as Error).message);
  }
}

/** What is stored of `name`, which may be a sample of it. */
export async function sampledRecord(recorded: RecordedSet, name: string): Promise<SampledRecord> {
  const samples = floats(await recorded.read(name));
  return { samples, stats: recorded.stats(name), deviation: recorded.deviation(name) };
}

/** The number that `pattern` finds in the set's definition of `what`; `usual` where it finds none. */
export function recordedNumber({ info }: RecordedSet, what: string, pattern: RegExp, usual: number): number {
  const { definitions } = info;
  const text = typeof definitions === 'string' ? definitions : definitions?.[what];
  const found = Number(pattern.exec(text ?? '')?.[1]);
  return Number.isNaN(found) ? usual : found;
}
