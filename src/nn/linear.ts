/**
 * Linear and Embedding, as PyTorch lays out their weights.
 */
import { add, gather, matmul, type Tensor, transposeLast } from '../tensor/index.ts';
import { fanIn, type Initial, type Scope, ZEROS } from './scope.ts';

export type Module = (x: Tensor) => Tensor;

/** y = x Wᵀ + b over the last axis; weight [out, in], bias [out] unless `bias` is false. */
export function linear(
  scope: Scope,
  features: readonly [inFeatures: number, outFeatures: number],
  options: { bias?: boolean; initial?: Initial; biasInitial?: Initial } = {},
): Module {
  const [inFeatures, outFeatures] = features;
  const weight = scope.parameter('weight', [outFeatures, inFeatures], options.initial ?? fanIn(inFeatures));
  const bias =
    options.bias === false ? undefined : scope.parameter('bias', [outFeatures], options.biasInitial ?? ZEROS);
  return (x) => {
    const y = matmul(x, transposeLast(weight));
    return bias === undefined ? y : add(y, bias);
  };
}

/** Rows of weight [count, width] by whole-number ids. */
export function embedding(scope: Scope, count: number, width: number, initial: Initial = { normal: 0.02 }): Module {
  const weight = scope.parameter('weight', [count, width], initial);
  return (ids) => gather(weight, ids);
}
