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

/** The `groupStatistics` that a norm takes for pictures laid out in groups, [N, groups, C / groups * H * W]. */
export type GroupStatistics = (grouped: Tensor, eps: number) => Tensor;

/** Mean and 1 / sqrt(variance + eps) of each group: [N, groups, width] -> [2, N, groups, 1]. */
export function groupStatistics(grouped: Tensor, eps: number): Tensor {
  const average = mean(grouped, [2]);
  const centred = sub(grouped, reshape(average, [...average.shape, 1]));
  const scale = reciprocal(sqrt(add(mean(square(centred), [2]), eps)));
  const one = (x: Tensor): Tensor => reshape(x, [1, ...x.shape, 1]);
  return concat([one(average), one(scale)], 0);
}

/** GroupNorm of each picture alone: x [N, C, H, W], statistics over (C / groups, H, W), or those that `statistics` names. */
export function groupNorm(
  scope: Scope,
  channels: number,
  options: { groups: number; eps?: number; gain?: number; statistics?: GroupStatistics | undefined },
): Module {
  const { groups, eps = 1e-5, gain = 1, statistics } = options;
  if (channels % groups !== 0) throw internalError('groupNorm', `${channels} channels must divide into groups`, groups);
  const weight = scope.parameter('weight', [channels], { constant: gain });
  const bias = scope.parameter('bias', [channels], ZEROS);
  const perChannel = [channels, 1, 1];
  return (x) => {
    const pictures = dim(x.shape, 0);
    const width = sizeOf(x.shape) / pictures / groups;
    const grouped = reshape(x, [pictures, groups, width]);
    if (statistics !== undefined) {
      const taken = statistics(grouped, eps);
      // One scale and shift a channel, so that pictures are passed over once.
      const spread = (from: number): Tensor =>
        reshape(expand(slice(taken, 0, from, from + 1), [1, pictures, groups, channels / groups]), [
          pictures,
          ...perChannel,
        ]);
      const scale = mul(spread(1), reshape(weight, perChannel));
      return add(mul(x, scale), sub(reshape(bias, perChannel), mul(spread(0), scale)));
    }
    const unit = graph.layerNorm(grouped, ones(width), undefined, eps);
    return add(mul(reshape(unit, x.shape), reshape(weight, perChannel)), reshape(bias, perChannel));
  };
}
