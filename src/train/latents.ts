/**
 * Latents of training clips, made once and kept on disk in parts, with the captions that go with them. A part is valid only
 * for the VAE that made it, whose hash it carries. Does not know the denoiser.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { captionsOf } from '../data/captions.ts';
import { clipSampler } from '../data/clips.ts';
import { randomStream } from '../data/random.ts';
import type { World } from '../data/world.ts';
import { StepVideoError } from '../errors.ts';
import { Scope } from '../nn/scope.ts';
import { compile } from '../runtime/compile.ts';
import type { Device } from '../runtime/device.ts';
import { float32, floats } from '../runtime/value.ts';
import { input, sizeOf } from '../tensor/index.ts';
import { encoder } from '../vae/encoder.ts';
import { splitMoments } from '../vae/posterior.ts';
import { openComponent } from '../weights/checkpoint.ts';
import { openSafetensors, writeSafetensors } from '../weights/safetensors.ts';
import { storedWeights } from '../weights/stored-weights.ts';
import { clipsToPixels } from './vae-task.ts';

/** Means of the posterior, before normalisation: [clips, F, z, h, w] flat, and each clip's captions. */
export type LatentSet = {
  readonly latents: Float32Array;
  readonly captions: readonly (readonly string[])[];
  readonly shape: readonly number[];
};

export type LatentOptions = {
  readonly world: World;
  readonly vae: string;
  readonly folder: string;
  readonly frames: number;
  readonly clips: number;
  readonly seed: number;
  readonly device: Device;
  readonly onProgress?: (done: number, total: number) => void;
};

const PART = 250;
const PICTURE = 128;
const CAPTIONS_A_CLIP = 6;

/** Reads what the cache holds and encodes the rest. */
export async function latentSet(options: LatentOptions): Promise<LatentSet> {
  const { folder, frames, clips, world, seed } = options;
  await mkdir(folder, { recursive: true });
  const hash = await vaeHash(options.vae);
  const parts = Math.ceil(clips / PART);
  const encode = await encoderOf(options);
  const captions: string[][] = [];
  const latents = new Float32Array(parts * PART * sizeOf(encode.shape));
  for (let part = 0; part < parts; part++) {
    const file = path.join(folder, `clips-${frames}-seed${seed}-${String(part).padStart(4, '0')}.safetensors`);
    const known = existsSync(file) ? await readPart(file, hash) : undefined;
    const made = known ?? (await encode.part(part));
    if (known === undefined)
      await writeSafetensors(file, [{ name: 'latents', dtype: 'F16', shape: [PART, ...encode.shape], data: made }], {
        vae: hash,
      });
    latents.set(made, part * PART * sizeOf(encode.shape));
    options.onProgress?.(part + 1, parts);
  }
  await encode.close();
  const sampler = samplerOf(options);
  for (let i = 0; i < parts * PART; i++)
    captions.push(captionsOf(world, sampler.scene(i), randomStream(seed + 1, i), CAPTIONS_A_CLIP));
  return { latents, captions, shape: encode.shape };
}

/** Hash of the VAE's weight file: the same file makes the same latents. */
async function vaeHash(dir: string): Promise<string> {
  const { files } = await openComponent(dir, 'vae');
  const hash = createHash('sha256');
  for (const file of files) hash.update(await readFile(file));
  return hash.digest('hex');
}

async function readPart(file: string, hash: string): Promise<Float32Array | undefined> {
  const source = await openSafetensors(file);
  if (source.metadata['vae'] !== hash)
    throw new StepVideoError(
      'data',
      `latents ${file}`,
      'cache must be of this VAE',
      source.metadata['vae']?.slice(0, 12),
      'another folder, or deleting this one',
    );
  const data = await source.readFloat32(source.tensors.get('latents')!);
  await source.close();
  return data;
}

function samplerOf({ world, seed, frames }: LatentOptions) {
  return clipSampler({ world, seed, frames: frames === 1 ? 17 : frames, stills: frames === 1 });
}

async function encoderOf(options: LatentOptions) {
  const { vae, frames, device } = options;
  const { config, source } = await openComponent(vae, 'vae');
  const pixels = input('pixels', [1, frames, 3, PICTURE, PICTURE]);
  const mean = splitMoments(encoder(new Scope().at('encoder'), config, 'fused')(pixels)).mean;
  const executable = await compile({ mean }, { device, weights: await storedWeights(source) });
  const sampler = samplerOf(options);
  return {
    shape: mean.shape.slice(1),
    async part(part: number): Promise<Float32Array> {
      const out = new Float32Array(PART * sizeOf(mean.shape));
      for (let i = 0; i < PART; i++) {
        const clip = sampler.clip(part * PART + i);
        const result = await executable.run({ pixels: float32(clipsToPixels([clip]), pixels.shape) });
        out.set(floats(result.mean), i * sizeOf(mean.shape));
      }
      return out;
    },
    async close() {
      await executable.dispose();
      await source.close();
    },
  };
}

/** Mean and deviation of each latent channel over all clips, frames and places; `channel` is axis 1 of [F, z, h, w]. */
export function channelStatistics(sets: readonly LatentSet[]): { mean: number[]; deviation: number[] } {
  const channels = sets[0]!.shape[1] as number;
  const [count, sum, squares] = [new Float64Array(channels), new Float64Array(channels), new Float64Array(channels)];
  for (const { latents, shape } of sets) {
    const plane = sizeOf(shape.slice(2));
    for (let i = 0; i < latents.length; i++) {
      const c = Math.floor(i / plane) % channels;
      const v = latents[i] as number;
      count[c]! += 1;
      sum[c]! += v;
      squares[c]! += v * v;
    }
  }
  const mean = Array.from(sum, (s, c) => s / count[c]!);
  return { mean, deviation: Array.from(squares, (s, c) => Math.sqrt(s / count[c]! - mean[c]! ** 2)) };
}
