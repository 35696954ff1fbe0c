/** The VAE of a checkpoint directory: scale of latents, posterior samples, pieces of frames, sizes that do not fit. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { gaussian } from '../../src/diffusion/noise.ts';
import { loadVae, type Vae } from '../../src/vae/load.ts';

const checkpoint = new URL('../golden/parity/checkpoint', import.meta.url).pathname;
const options = { device: 'cpu', threads: 1 } as const;
const mean = [0.5, -1];
const std = [2, 0.25];
/** What the recorded VAE is, with a scale of latents. */
const config = {
  encoder: { ch: 32, ch_mult: [2, 2, 2, 2], num_res_blocks: 1 },
  decoder: { ch: 64, ch_mult: [1, 1, 1, 1], num_res_blocks: 1 },
  z_channels: 2,
  channels: 64,
};
let scratch: string;
let plain: Vae;
beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'vae-'));
  cpSync(join(checkpoint, 'vae'), join(scratch, 'vae'), { recursive: true });
  plain = await loadVae(checkpoint, options);
});
afterAll(async () => {
  await plain.close();
  rmSync(scratch, { recursive: true });
});

const clip = gaussian({ seed: 1, length: 3 * 16 * 32 }).map((v) => Math.tanh(v));
const size = { frames: 1, height: 16, width: 32 };
const latentSize = { frames: 1, channels: 2, height: 1, width: 2 };

async function frames(vae: Vae, latents: Float32Array, shape: Parameters<Vae['decode']>[1]): Promise<number[]> {
  const out: number[] = [];
  for await (const piece of vae.decode(latents, shape)) out.push(...piece);
  return out;
}

it('gives the denoiser normalised latents where the config says so, and takes them back', async () => {
  writeFileSync(join(scratch, 'vae/config.json'), JSON.stringify({ ...config, latents_mean: mean, latents_std: std }));
  const scaled = await loadVae(scratch, options);
  expect(await scaled.moments(clip, size)).toEqual(await plain.moments(clip, size));
  const latents = await plain.encode(clip, size);
  const normal = await scaled.encode(clip, size);
  const channel = (i: number): number => Math.floor(i / 2);
  normal.forEach((v, i) => {
    expect(v).toBeCloseTo((latents[i]! - mean[channel(i)]!) / std[channel(i)]!, 5);
  });
  const back = normal.map((v, i) => v * std[channel(i)]! + mean[channel(i)]!);
  expect(await frames(scaled, normal, latentSize)).toEqual(await frames(plain, back, latentSize));
  await scaled.close();
});

it.each([
  [{ latents_mean: mean }, /both have z_channels numbers/],
  [{ latents_std: std }, /both have z_channels numbers/],
  [{ latents_mean: mean, latents_std: [1] }, /both have z_channels numbers/],
  [{ latents_mean: mean, latents_std: [1, 0] }, /latents_std/],
])('refuses the scale %o', async (scale, message) => {
  writeFileSync(join(scratch, 'vae/config.json'), JSON.stringify({ ...config, ...scale }));
  await expect(loadVae(scratch, options)).rejects.toThrow(message);
});

it('samples mean + exp(log variance / 2) noise', async () => {
  const noise = Float32Array.of(1, -2, 0.5, 0);
  const moments = await plain.moments(clip, size);
  const sample = await plain.encode(clip, size, noise);
  sample.forEach((v, i) => {
    expect(v).toBeCloseTo(moments[i]! + Math.exp(moments[4 + i]! / 2) * noise[i]!, 5);
  });
  await expect(plain.encode(clip, size, noise.subarray(1))).rejects.toThrow('noise must have 4 numbers, got 3');
});

it('hands frames out chunk by chunk, as they are final, and stops where nobody asks for more', async () => {
  const latents = gaussian({ seed: 2, length: 7 * 2 * 2 });
  const counts: number[] = [];
  for await (const piece of plain.decode(latents, { ...latentSize, frames: 7 }))
    counts.push(piece.length / (3 * 16 * 32));
  expect(counts).toEqual([16, 17, 1, 1]);
  const started = plain.decode(latents, { ...latentSize, frames: 7 });
  await started.next();
  await expect(started.return()).resolves.toMatchObject({ done: true });
});

it('refuses sizes that do not fit', async () => {
  const latents = new Float32Array(8);
  await expect(frames(plain, latents, { frames: 1, channels: 4, height: 1, width: 2 })).rejects.toThrow(
    'decode: latents must have 2 channels, got 4',
  );
  await expect(frames(plain, latents, { frames: 1, channels: 2, height: 1, width: 2 })).rejects.toThrow('must fill');
  await expect(frames(plain, latents.subarray(8), { ...latentSize, frames: 0 })).rejects.toThrow('at least one frame');
  await expect(plain.moments(clip, { frames: 1, height: 24, width: 32 })).rejects.toThrow('multiples of 16');
  await expect(plain.moments(clip, { frames: 5, height: 16, width: 32 })).rejects.toThrow('leave 1-4 or 9-12');
  await expect(plain.moments(clip, { frames: 2, height: 16, width: 32 })).rejects.toThrow('must fill');
});

it('codes the first frame of a clip as it codes that picture alone', async () => {
  const long = gaussian({ seed: 2, length: 17 * clip.length }).map((v) => Math.tanh(v));
  const first = await plain.encode(long.slice(0, clip.length), size);
  const whole = await plain.encode(long, { ...size, frames: 17 });
  expect(whole.length).toBe(3 * first.length);
  first.forEach((v, i) => {
    expect(whole[i]).toBeCloseTo(v, 5);
  });
});
