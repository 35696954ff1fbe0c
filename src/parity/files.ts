/**
 * Sets about files rather than numbers: manifests of checkpoints, pickled weights, and whole checkpoint directories.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { checkpointError, StepVideoError } from '../errors.ts';
import { loadTokenizers } from '../prompt/tokenize.ts';
import { checkComponent, checkpointName, openComponent } from '../weights/checkpoint.ts';
import { components } from '../weights/component-config.ts';
import { expectedTensors } from '../weights/manifest.ts';
import type { TensorSource } from '../weights/tensor-entry.ts';
import { openWeights } from '../weights/weight-file.ts';
import { type Comparison, compareExactly } from './compare.ts';
import { manifestConfig } from './manifest-config.ts';
import { readJson } from './vectors.ts';

const manifestSchema = z.looseObject({
  parameters: z.number().optional(),
  tensors_count: z.number().optional(),
  tensors: z.record(z.string(), z.array(z.number())),
});

/** Manifest `dir`/`name`.json: the names and shapes that our models have at its size, one by one. */
export async function compareManifest(dir: string, name: string): Promise<Comparison[]> {
  const file = join(dir, `${name}.json`);
  const result = manifestSchema.safeParse(await readJson(file));
  if (!result.success) throw checkpointError(`manifest ${file}`, 'must list tensors', result.error.issues[0]?.message);
  const { tensors, parameters, tensors_count: count } = result.data;
  const { component, config } = manifestConfig(tensors, file);
  const expected = new Map<string, readonly number[]>();
  for (const [tensor, shape] of expectedTensors(component, config))
    expected.set(checkpointName(component, tensor), shape);
  const names = new Set([...expected.keys(), ...Object.keys(tensors)]);
  const sizes = [...expected.values()].map((shape) => shape.reduce((a, b) => a * b, 1));
  return [
    ...[...names].map((tensor) => compareExactly(tensor, expected.get(tensor) ?? [], tensors[tensor] ?? [0])),
    ...(count === undefined ? [] : [compareExactly('tensors_count', [expected.size], [count])]),
    ...(parameters === undefined
      ? []
      : [compareExactly('parameters', [sizes.reduce((a, b) => a + b, 0)], [parameters])]),
  ];
}

const picklesSchema = z.looseObject({ files: z.record(z.string(), z.string()) });

/** What a malicious pickle would leave behind if it were executed. */
const TRACE = 'pickle-was-executed';

/**
 * Pickles described by `dir`/`name`.json: malicious ones must be refused and leave no trace; the others hold what a
 * .safetensors file beside them holds, or tensors of the CLIP encoder that the set's checkpoint has.
 */
export async function comparePickles(dir: string, name: string): Promise<Comparison[]> {
  const file = join(dir, `${name}.json`);
  const result = picklesSchema.safeParse(await readJson(file));
  if (!result.success) throw checkpointError(`pickles ${file}`, 'must list files', result.error.issues[0]?.message);
  const folder = join(file, '..');
  const comparisons: Comparison[] = [];
  for (const [list, about] of Object.entries(result.data.files))
    for (const pickle of list.split(', ')) {
      const path = join(folder, pickle);
      if (pickle.startsWith('malicious')) comparisons.push(await compareRefusal(path, folder));
      else comparisons.push(...(await compareValues(path, about, { dir, folder })));
    }
  return comparisons;
}

async function compareRefusal(path: string, folder: string): Promise<Comparison> {
  const traces = [folder, process.cwd()].map((at) => join(at, TRACE));
  const present = async (): Promise<number> => (await Promise.all(traces.map(exists))).filter(Boolean).length;
  const before = await present();
  const refused = await openWeights(path).then(
    () => false,
    (error: unknown) => {
      if (error instanceof StepVideoError && error.kind === 'checkpoint') return exists(path);
      throw error;
    },
  );
  return compareExactly(`${basename(path)} refused`, [Number(refused), (await present()) - before], [1, 0]);
}

async function compareValues(
  path: string,
  about: string,
  { dir, folder }: { dir: string; folder: string },
): Promise<Comparison[]> {
  const pickled = await openWeights(path);
  const beside = (await readdir(folder))
    .filter((name) => name.endsWith('.safetensors'))
    .find((name) => path.startsWith(join(folder, name.replace(/\.safetensors$/, ''))));
  const reference =
    beside === undefined
      ? (await openComponent(join(dir, 'checkpoint'), 'hunyuan_clip')).source
      : await openWeights(join(folder, beside));
  // Parts of names between backticks, where only a part of the weights was pickled.
  const parts = [...about.matchAll(/`([^`]+)`/g)].map(([, part]) => part as string);
  const wanted = [...reference.tensors.keys()].filter(
    (name) => beside !== undefined || parts.length === 0 || parts.some((part) => name.includes(part)),
  );
  const comparisons: Comparison[] = [];
  try {
    for (const name of new Set([...wanted, ...[...pickled.tensors.keys()].map(plain)]))
      comparisons.push(
        compareExactly(`${basename(path)} ${name}`, await valuesOf(pickled, name), await valuesOf(reference, name)),
      );
  } finally {
    await Promise.all([pickled.close(), reference.close()]);
  }
  return comparisons;
}

const plain = (name: string): string => name.replace(/^bert\./, '');

/** Shape and values of a tensor, with or without the prefix of its file; none where it is missing. */
async function valuesOf(source: TensorSource, name: string): Promise<number[]> {
  const entry = source.tensors.get(name) ?? source.tensors.get(`bert.${name}`);
  return entry === undefined ? [] : [...entry.shape, ...(await source.readFloat32(entry))];
}

/** A checkpoint in the official layout: every component holds exactly its config's tensors, each of them can be read and is finite. */
export async function compareCheckpoint(dir: string, name: string): Promise<Comparison[]> {
  const comparisons: Comparison[] = [];
  for (const component of components) {
    const opened = await openComponent(join(dir, name), component);
    checkComponent(opened);
    try {
      for (const entry of opened.source.tensors.values()) {
        const bad = (await opened.source.readFloat32(entry)).filter((v) => !Number.isFinite(v)).length;
        comparisons.push(compareExactly(`${component} ${entry.name}`, [bad], [0]));
      }
    } finally {
      await opened.source.close();
    }
  }
  await loadTokenizers(join(dir, name));
  return comparisons;
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
