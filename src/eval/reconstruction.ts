/**
 * What a VAE leaves of real clips: encoded to means, decoded, compared. Also how far its chunks fall apart at their seams.
 * Does not know prompts or denoisers.
 */
import { CHUNK_FRAMES } from '../vae/config.ts';
import type { Vae } from '../vae/load.ts';
import { CLIP_SIZE, floatsOf, framesOf, pixelsOf } from './clip-pixels.ts';
import { psnr, ssim } from './quality.ts';

/** Frames of the clips that seams are measured on: two chunks. */
export const SEAM_FRAMES = 2 * CHUNK_FRAMES;

/** RGB8 [frames, 128, 128, 3] → latents as the denoiser has them, of the posterior's mean. */
export const encodeClip = (vae: Vae, pixels: Uint8Array): Promise<Float32Array> =>
  vae.encode(floatsOf(pixels), { frames: framesOf(pixels).length, ...CLIP_SIZE });

/** Latents of a clip → RGB8 [frames, 128, 128, 3]. */
export function decodeClip(vae: Vae, latents: Float32Array): Promise<Uint8Array> {
  const { height, width } = { height: CLIP_SIZE.height / 16, width: CLIP_SIZE.width / 16 };
  const channels = vae.config.z_channels;
  const shape = { frames: latents.length / (channels * height * width), channels, height, width };
  return pixelsOf(vae.decode(latents, shape));
}

/** Likeness of one clip to another: `psnr` in dB over the whole clip, `ssim` the mean of its frames. */
export type Fidelity = { readonly psnr: number; readonly ssim: number };

export const fidelity = (real: Uint8Array, made: Uint8Array): Fidelity => ({
  psnr: psnr(real, made),
  ssim: ssim(real, made, CLIP_SIZE),
});

/** Means over clips. */
export type FidelitySummary = Fidelity & { readonly clips: number };

export function summarizeFidelity(all: readonly Fidelity[]): FidelitySummary {
  const mean = (of: (each: Fidelity) => number) => all.reduce((sum, each) => sum + of(each), 0) / all.length;
  return { clips: all.length, psnr: mean((each) => each.psnr), ssim: mean((each) => each.ssim) };
}

/**
 * Mean change from frame to frame across the seam of two chunks, and in the steps just before and after it (blending
 * changes both frames of a seam), over that of all other steps. 1 where the seam does not show.
 */
export type SeamSteps = { readonly before: number; readonly at: number; readonly after: number };

/** Over clips RGB8 [34, 128, 128, 3]; a clip counts as much as it moves. At least one must move. */
export function seamSteps(clips: readonly Uint8Array[]): SeamSteps {
  const sums = new Array<number>(SEAM_FRAMES - 1).fill(0);
  for (const clip of clips) {
    const frames = framesOf(clip);
    sums.forEach((_, t) => {
      sums[t]! += meanChange(frames[t]!, frames[t + 1]!);
    });
  }
  const seam = CHUNK_FRAMES - 1;
  const others = sums.filter((_, t) => Math.abs(t - seam) > 1);
  const normal = others.reduce((sum, step) => sum + step, 0) / others.length;
  return { before: sums[seam - 1]! / normal, at: sums[seam]! / normal, after: sums[seam + 1]! / normal };
}

/** Mean absolute difference in grey levels. */
function meanChange(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!);
  return sum / a.length;
}
