/**
 * Norms as the official modules have them; each is one kernel of the graph plus reshapes.
 */
import { internalError } from '../errors.ts';
import * as graph from '../tensor/index.ts';
import { add, constant, dim, mul, reshape, sizeOf, type Tensor } from '../tensor/index.ts';
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

/** GroupNorm of each picture alone: x [N, C, H, W], statistics over (C / groups, H, W). */
export function groupNorm(
  scope: Scope,
  channels: number,
  options: { groups: number; eps?: number; gain?: number },
): Module {
  const { groups, eps = 1e-5, gain = 1 } = options;
  if (channels % groups !== 0) throw internalError('groupNorm', `${channels} channels must divide into groups`, groups);
  const weight = scope.parameter('weight', [channels], { constant: gain });
  const bias = scope.parameter('bias', [channels], ZEROS);
  return (x) => {
    const pictures = dim(x.shape, 0);
    const width = sizeOf(x.shape) / pictures / groups;
    const unit = graph.layerNorm(reshape(x, [pictures, groups, width]), ones(width), undefined, eps);
    const perChannel = [channels, 1, 1];
    return add(mul(reshape(unit, x.shape), reshape(weight, perChannel)), reshape(bias, perChannel));
  };
}
