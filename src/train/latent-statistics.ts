/**
 * Mean and deviation of latents, channel by channel: measured, kept in a VAE's config, applied. A denoiser sees latents of mean 0
 * and deviation 1. Does not know which clips were encoded.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { sizeOf } from '../tensor/index.ts';
import { openComponent } from '../weights/checkpoint.ts';

export type LatentStatistics = { readonly mean: readonly number[]; readonly deviation: readonly number[] };

/** Clips of one shape, as the encoder makes them: [clips, F, z, h, w] flat, and the shape of one. */
type Latents = { readonly latents: Float32Array; readonly shape: readonly number[] };

/** Mean and deviation of each latent channel over all clips, frames and places; `channel` is axis 1 of [F, z, h, w]. */
export function channelStatistics(sets: readonly Latents[]): LatentStatistics {
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
  // A channel that never changes, as in very few clips, has no deviation to divide by.
  const variance = Array.from(squares, (s, c) => Math.max(s / count[c]! - mean[c]! ** 2, 1e-8));
  return { mean, deviation: variance.map(Math.sqrt) };
}

/** The statistics that the VAE in `dir` was published with, for denoisers that know them; undefined where it has none. */
export async function knownStatistics(dir: string): Promise<LatentStatistics | undefined> {
  const { config, source } = await openComponent(dir, 'vae');
  await source.close();
  const { latents_mean: mean, latents_std: deviation } = config;
  return mean && deviation && { mean, deviation };
}

/** (x - mean) / deviation of each channel, in place. */
export function normalise({ latents, shape }: Latents, { mean: center, deviation }: LatentStatistics): void {
  const plane = sizeOf(shape.slice(2));
  for (let i = 0; i < latents.length; i++) {
    const c = Math.floor(i / plane) % center.length;
    latents[i] = (latents[i]! - center[c]!) / deviation[c]!;
  }
}

/** Writes `statistics` into the VAE's config in model directory `dir`, to six digits. */
export async function keepStatistics(dir: string, statistics: LatentStatistics): Promise<void> {
  const file = path.join(dir, 'vae', 'config.json');
  const config = JSON.parse(await readFile(file, 'utf8')) as object;
  const rounded = (values: readonly number[]): number[] => values.map((v) => Number(v.toPrecision(6)));
  const kept = { latents_mean: rounded(statistics.mean), latents_std: rounded(statistics.deviation) };
  await writeFile(file, `${JSON.stringify({ ...config, ...kept }, null, 2)}\n`);
}
