/**
 * Losses of the Video-VAE that are functions of tensors alone: L1 at several sizes, L1 of differences between neighbouring pixels
 * and frames, and a distance between activations. The report names L1, KL and Video-LPIPS (§4.1.4); in the place of the last
 * stands the distance here, over activations of this project's own classifier of emoji world: no VGG, and no calibration on
 * what people see as alike.
 */
import {
  abs,
  add,
  averagePool,
  div,
  mean,
  mul,
  reshape,
  slice,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
} from '../tensor/index.ts';

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

/** Keeps a place where all channels are silent from being blown up. */
const SILENCE = 1e-4;

/**
 * Distance between two pictures' activations, level by level [N, C, h, w]: at each place both are scaled to length 1 over the
 * channels, and their L1 over channels is divided by sqrt(C), so that a level counts at most 2 whatever its width. Mean over
 * places, pictures and levels.
 */
export function featureDistance(a: readonly Tensor[], b: readonly Tensor[]): Tensor {
  const unit = (x: Tensor): Tensor => div(x, sqrt(add(sum(square(x), [1], true), SILENCE)));
  const terms = a.map((level, i) => {
    const channels = level.shape[1] as number;
    return mul(mean(abs(sub(unit(level), unit(b[i]!)))), Math.sqrt(channels));
  });
  return mul(
    terms.reduce((x, y) => add(x, y)),
    1 / terms.length,
  );
}

const asPictures = (video: Tensor): Tensor => {
  const [batch, frames, ...picture] = video.shape as readonly [number, number, number, number, number];
  return reshape(video, [batch * frames, ...picture]);
};
