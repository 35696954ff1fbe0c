/**
 * The latent distribution that an encoder's moments describe: sampling and its divergence from the standard normal.
 */
import { inputError } from '../errors.ts';
import { add, clamp, exp, mul, slice, square, sub, sum, type Tensor } from '../tensor/index.ts';

const LOG_VARIANCE = { low: -30, high: 20 } as const;

/** Moments [B, F, 2z, h, w] -> mean and clamped log-variance [B, F, z, h, w]. */
export function splitMoments(moments: Tensor): { mean: Tensor; logVariance: Tensor } {
  const z = (moments.shape[2] as number) / 2;
  return {
    mean: slice(moments, 2, 0, z),
    logVariance: clamp(slice(moments, 2, z, 2 * z), LOG_VARIANCE.low, LOG_VARIANCE.high),
  };
}

/** mean + exp(logVariance / 2) · noise. */
export function samplePosterior(moments: Tensor, noise: Tensor): Tensor {
  const { mean, logVariance } = splitMoments(moments);
  return add(mean, mul(exp(mul(logVariance, 0.5)), noise));
}

/** Sum over all latents of (mean² + variance - 1 - log variance) / 2, over the batch. */
export function klDivergence(moments: Tensor): Tensor {
  const { mean, logVariance } = splitMoments(moments);
  const terms = sub(sub(add(square(mean), exp(logVariance)), 1), logVariance);
  return mul(sum(terms), 0.5 / (moments.shape[0] as number));
}

/**
 * As `samplePosterior`, on the host: moments [F, 2z, h, w] flat -> latents [F, z, h, w] flat, the mean where there is no noise.
 * `half` is z * h * w. Each operation is rounded to float32.
 */
export function drawLatents(moments: Float32Array, half: number, noise?: Float32Array): Float32Array {
  const { low, high } = LOG_VARIANCE;
  const latents = new Float32Array(moments.length / 2);
  if (noise !== undefined && noise.length !== latents.length)
    throw inputError('encode', `noise must have ${latents.length} numbers`, noise.length);
  for (let i = 0; i < latents.length; i++) {
    const at = Math.floor(i / half) * 2 * half + (i % half);
    const logVariance = Math.min(high, Math.max(low, moments[at + half]!));
    const offset = noise === undefined ? 0 : Math.fround(Math.exp(0.5 * logVariance)) * noise[i]!;
    latents[i] = moments[at]! + Math.fround(offset);
  }
  return latents;
}
