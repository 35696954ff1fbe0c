/**
 * A trained feature network, ready to run on RGB frames, and the folder that it lies in: `model.safetensors` beside `config.json`.
 * Knows files and batches of frames; does not know what is compared by its features.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { inputError } from '../errors.ts';
import { Scope } from '../nn/scope.ts';
import { compile } from '../runtime/compile.ts';
import { compileCache } from '../runtime/compile-cache.ts';
import type { Device } from '../runtime/device.ts';
import { floats, type Value } from '../runtime/value.ts';
import { cast, input, mul, softmax, sub, transpose } from '../tensor/index.ts';
import { matchExpected } from '../weights/match.ts';
import { openSafetensors, type TensorSource, writeSafetensors } from '../weights/safetensors.ts';
import { storedWeights } from '../weights/stored-weights.ts';
import { type FeatureConfig, readFeatureConfig, SIDE_FACTOR } from './config.ts';
import { featureNetwork } from './network.ts';

/** Size of RGB8 frames [frames, height, width, 3]; sides are multiples of 16. */
export type FrameSize = { readonly width: number; readonly height: number; readonly frames: number };

export interface FeatureNetwork {
  /** What reports call it. */
  readonly name: string;
  /** Length of a feature vector. */
  readonly width: number;
  /** Ids that it tells apart, in the order of the probabilities. */
  readonly subjects: readonly string[];
  /** Feature vectors [frames, width] of RGB8 frames. @throws input error where pixels and size do not fit. */
  features(pixels: Uint8Array, size: FrameSize): Promise<Float32Array>;
  /** The likeliest subject of each frame, as index into `subjects`, and the probabilities [frames, subjects]. */
  classify(pixels: Uint8Array, size: FrameSize): Promise<{ ids: Int32Array; probabilities: Float32Array }>;
  /** Frees the compiled graphs. */
  close(): Promise<void>;
}

/** The network that comes with the package, trained on emoji world. */
export const SHIPPED_FEATURES = fileURLToPath(new URL('../../models/features', import.meta.url));

/** Frames that run at once: enough to keep kernels busy, few enough for whole clips in little memory. */
const BATCH = 16;
/** Whole batches and the rest of a clip, in two sizes of picture. */
const KEPT_GRAPHS = 4;

const weightFile = (folder: string): string => path.join(folder, 'model.safetensors');

/** Opens the feature network in `folder`. @throws checkpoint error unless it holds exactly the tensors of its config. */
export async function loadFeatureNetwork(
  folder: string,
  { device, threads }: { device: Device; threads?: number | undefined },
): Promise<FeatureNetwork> {
  const { config, source } = await openFeatures(folder);
  const weights = await storedWeights(source).finally(() => source.close());
  const graphs = compileCache<'vector' | 'probabilities'>(KEPT_GRAPHS);

  /** One output of the network for all frames, [frames, columns]. */
  const run = async (output: 'vector' | 'probabilities', pixels: Uint8Array, size: FrameSize) => {
    checkFrames(pixels, size);
    const { width, height, frames } = size;
    const bytes = width * height * 3;
    const columns = output === 'vector' ? config.sizes.features : config.subjects.length;
    const all = new Float32Array(frames * columns);
    for (let from = 0; from < frames; from += BATCH) {
      const shape = [Math.min(BATCH, frames - from), height, width, 3];
      const graph = await graphs.get(shape.join('x'), () => {
        const bytesIn = input('pixels', shape, 'uint8');
        const pictures = sub(mul(transpose(cast(bytesIn, 'float32'), [0, 3, 1, 2]), 1 / 127.5), 1);
        const { vector, logits } = featureNetwork(new Scope(), config)(pictures);
        return compile({ vector, probabilities: softmax(logits) }, { device, threads, weights });
      });
      const data = pixels.slice(from * bytes, (from + shape[0]!) * bytes);
      const results = await graph.run({ pixels: { dtype: 'uint8', shape, data } });
      all.set(floats(results[output]), from * columns);
    }
    return all;
  };
  return {
    name: config.name,
    width: config.sizes.features,
    subjects: config.subjects,
    features: (pixels, size) => run('vector', pixels, size),
    async classify(pixels, size) {
      const probabilities = await run('probabilities', pixels, size);
      return { ids: largestOfRows(probabilities, config.subjects.length), probabilities };
    },
    close: () => graphs.dispose(),
  };
}

/**
 * Config and tensors of the feature network in `folder`, which must be exactly those of the config; `source` is the caller's to
 * close. Tensors have the names that `featureNetwork` gives them.
 */
export async function openFeatures(folder: string): Promise<{ config: FeatureConfig; source: TensorSource }> {
  const config = await readFeatureConfig(folder);
  const source = await openSafetensors(weightFile(folder));
  const scope = new Scope();
  featureNetwork(scope, config);
  matchExpected(new Map([...scope.specs.values()].map(({ name, shape }) => [name, shape])), source);
  return { config, source };
}

/** Writes a feature network into `folder`, its weights as float16. */
export async function saveFeatureNetwork(
  folder: string,
  config: FeatureConfig,
  weights: ReadonlyMap<string, Value>,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const tensors = [...weights].map(([name, value]) => ({
    name,
    dtype: 'F16' as const,
    shape: [...value.shape],
    data: floats(value),
  }));
  await writeSafetensors(weightFile(folder), tensors, { format: 'pt' });
  await writeFile(path.join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
}

/** The column of the largest number of each row of [rows, columns]. */
export function largestOfRows(values: Float32Array, columns: number): Int32Array {
  return Int32Array.from({ length: values.length / columns }, (_, row) => {
    const own = values.subarray(row * columns, (row + 1) * columns);
    return own.indexOf(Math.max(...own));
  });
}

function checkFrames(pixels: Uint8Array, { width, height, frames }: FrameSize): void {
  for (const side of [width, height])
    if (!Number.isInteger(side) || side <= 0 || side % SIDE_FACTOR !== 0)
      throw inputError('features', `sides must be multiples of ${SIDE_FACTOR}`, [width, height]);
  if (pixels.length !== width * height * frames * 3)
    throw inputError('features', `${frames} frames of ${width}x${height} must have 3 bytes a pixel`, pixels.length);
}
