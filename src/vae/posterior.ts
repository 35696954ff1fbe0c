/**
 * The latent distribution that an encoder's moments describe: sampling and its divergence from the standard normal.
 */
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
