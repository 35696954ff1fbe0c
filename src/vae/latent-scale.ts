/**
 * Between the VAE's own latents and those that the denoiser has: normalised by channel where the config says so.
 */
import type { VaeConfig } from './config.ts';

type Convert = (latents: Float32Array, plane: number) => Float32Array;

/** Both ways, over [F, z, plane] flat; the same array where there is nothing to do. */
export function latentScale(config: VaeConfig): { apply: Convert; remove: Convert } {
  const { latents_mean: mean, latents_std: std, z_channels: channels } = config;
  if (mean === undefined || std === undefined) return { apply: (x) => x, remove: (x) => x };
  const channel = (i: number, plane: number): number => Math.floor(i / plane) % channels;
  return {
    apply: (latents, plane) => latents.map((v, i) => (v - mean[channel(i, plane)]!) / std[channel(i, plane)]!),
    remove: (latents, plane) => latents.map((v, i) => v * std[channel(i, plane)]! + mean[channel(i, plane)]!),
  };
}
