/**
 * Norms as the official modules have them; each is one kernel of the graph plus reshapes.
 */
import { internalError } from '../errors.ts';
import * as graph from '../tensor/index.ts';
import {
  add,
  concat,
  constant,
  dim,
  expand,
  matmul,
  maximum,
  mean,
  mul,
  reciprocal,
  reshape,
  sizeOf,
  slice,
  sqrt,
  square,
  sub,
  type Tensor,
} from '../tensor/index.ts';
import type { Module } from './linear.ts';
import { ONES, type Scope, ZEROS } from './scope.ts';

const onesCache = new Map<number, Float32Array>();
/** One shared array a size: graphs of many norms must not each carry their own. */
function ones(size: number): Tensor {
  const data = onesCache.get(size) ?? new Float32Array(size).fill(1);
  onesCache.set(size, data);
  return constant(data, [size]);
}

/** LayerNorm over the last axis; `affine: false` has no weights. */
export function layerNorm(scope: Scope, width: number, options: { eps: number; affine?: boolean }): Module {
  const { eps, affine = true } = options;
  if (!affine) return (x) => graph.layerNorm(x, ones(width), undefined, eps);
  const weight = scope.parameter('weight', [width], ONES);
  const bias = scope.parameter('bias', [width], ZEROS);
  return (x) => graph.layerNorm(x, weight, bias, eps);
}

/** RMSNorm over the last axis, weight only. */
export function rmsNorm(scope: Scope, width: number, eps: number): Module {
  const weight = scope.parameter('weight', [width], ONES);
  return (x) => graph.rmsNorm(x, weight, eps);
}

/**
 * Moments that a norm is to take for pictures x [N, C, H, W] in place of their own: means of the values and of their squares
 * in each group, [2, N, groups].
 */
export type GroupMoments = (x: Tensor, groups: number) => Tensor;

/** Moments of x [N, C, H, W] over places weighted by `weights` [H * W]: sums, so that those of parts of a picture add up. */
export function weightedMoments(x: Tensor, groups: number, weights: Tensor): Tensor {
  const [pictures, channels, height, width] = x.shape as readonly [number, number, number, number];
  const column = reshape(weights, [height * width, 1]);
  const sums = (values: Tensor): Tensor => {
    const places = matmul(reshape(values, [pictures, channels, height * width]), column);
    return mean(reshape(places, [1, pictures, groups, channels / groups]), [3]);
  };
  return concat([sums(x), sums(square(x))], 0);
}

/** GroupNorm of each picture alone: x [N, C, H, W], statistics over (C / groups, H, W), or by `moments`. */
export function groupNorm(
  scope: Scope,
  channels: number,
  options: { groups: number; eps?: number; gain?: number; moments?: GroupMoments | undefined },
): Module {
  const { groups, eps = 1e-5, gain = 1, moments } = options;
  if (channels % groups !== 0) throw internalError('groupNorm', `${channels} channels must divide into groups`, groups);
  const weight = scope.parameter('weight', [channels], { constant: gain });
  const bias = scope.parameter('bias', [channels], ZEROS);
  const perChannel = [channels, 1, 1];
  return (x) => {
    const pictures = dim(x.shape, 0);
    const taken = moments?.(x, groups);
    if (taken !== undefined) {
      const [average, squares] = [slice(taken, 0, 0, 1), slice(taken, 0, 1, 2)];
      const deviation = sqrt(add(maximum(sub(squares, square(average)), 0), eps));
      // One scale and shift a channel, so that pictures are passed over once.
      const spread = (values: Tensor): Tensor =>
        reshape(expand(reshape(values, [pictures, groups, 1]), [pictures, groups, channels / groups]), [
          pictures,
          ...perChannel,
        ]);
      const scale = mul(spread(reciprocal(deviation)), reshape(weight, perChannel));
      return add(mul(x, scale), sub(reshape(bias, perChannel), mul(spread(average), scale)));
    }
    const width = sizeOf(x.shape) / pictures / groups;
    const unit = graph.layerNorm(reshape(x, [pictures, groups, width]), ones(width), undefined, eps);
    return add(mul(reshape(unit, x.shape), reshape(weight, perChannel)), reshape(bias, perChannel));
  };
}
