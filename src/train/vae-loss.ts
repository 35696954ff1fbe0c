/**
 * Losses of the Video-VAE: L1 at several sizes, L1 of differences of neighbouring pixels and frames, KL (report §4.1.4 names L1 and KL).
 */
import { abs, add, averagePool, mean, mul, reshape, slice, sub, sum, type Tensor } from '../tensor/index.ts';

export const l1 = (a: Tensor, b: Tensor): Tensor => mean(abs(sub(a, b)));

/** L1 between two videos [B, T, 3, H, W] at full, half, quarter … size, weighted by `scales`. */
export function multiscaleL1(reconstruction: Tensor, pixels: Tensor, scales: readonly number[]): Tensor {
  let error = asPictures(sub(reconstruction, pixels));
  let total: Tensor | undefined;
  scales.forEach((weight, level) => {
    if (level > 0) error = averagePool(error);
    if (weight === 0) return;
    const term = mul(mean(abs(error)), weight);
    total = total === undefined ? term : add(total, term);
  });
  return total ?? sum(mul(error, 0));
}

/** L1 between the differences of horizontal and of vertical neighbours: edges in their place. */
export function gradientL1(reconstruction: Tensor, pixels: Tensor): Tensor {
  const error = asPictures(sub(reconstruction, pixels));
  const difference = (axis: number): Tensor => {
    const size = error.shape[axis] as number;
    return mean(abs(sub(slice(error, axis, 1, size), slice(error, axis, 0, size - 1))));
  };
  return add(difference(2), difference(3));
}

/** L1 between the differences of neighbouring frames: flicker, and images doubled where something moves. 0 for stills. */
export function temporalL1(reconstruction: Tensor, pixels: Tensor): Tensor {
  const error = sub(reconstruction, pixels);
  const frames = error.shape[1] as number;
  if (frames === 1) return mean(mul(error, 0));
  return mean(abs(sub(slice(error, 1, 1, frames), slice(error, 1, 0, frames - 1))));
}

const asPictures = (video: Tensor): Tensor => {
  const [batch, frames, ...picture] = video.shape as readonly [number, number, number, number, number];
  return reshape(video, [batch * frames, ...picture]);
};
