/**
 * Values for graph leaves in tests: deterministic, spread so that no two are near each other (kinks and ties stay apart).
 */
import { type DType, type NDArray, ndarray, type Shape, sizeOf, type Tensor } from '../../src/tensor/index.ts';

export type LeafSpec = {
  readonly shape: Shape;
  readonly dtype?: DType;
  /** Range of the values; [-2, 2] for floats unless said, 0 and 1 for bools. */
  readonly range?: readonly [number, number];
};

/** Distinct evenly spaced values of the range in a scrambled order; whole for whole dtypes. */
export function spread(spec: LeafSpec, salt: number): NDArray {
  const { shape, dtype = 'float32' } = spec;
  const [low, high] = spec.range ?? (dtype === 'bool' ? [0, 1] : [-2, 2]);
  const size = sizeOf(shape);
  const random = generator(salt + 1);
  const order = Array.from({ length: size }, (_, i) => i);
  for (let i = size - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  const whole = dtype.startsWith('int') || dtype.startsWith('uint') || dtype === 'bool';
  const data = Float64Array.from(order, (rank) => {
    const at = low + ((high - low) * (rank + 0.31)) / size;
    return whole ? Math.round(at) : Math.fround(at);
  });
  return ndarray(shape, dtype, data);
}

/** Uniform numbers in [0, 1) from a 32-bit seed (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Largest |a - b| over the larger of 1 and the largest |b|. */
export function deviation(a: ArrayLike<number | bigint>, b: ArrayLike<number | bigint>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  let scale = 1;
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [Number(a[i]), Number(b[i])];
    if (Object.is(x, y) || x === y) continue;
    worst = Math.max(worst, Number.isFinite(x - y) ? Math.abs(x - y) : Number.POSITIVE_INFINITY);
    if (Number.isFinite(y)) scale = Math.max(scale, Math.abs(y));
  }
  return worst / scale;
}

/** Feeds for the leaves of a graph by name. */
export const feedsOf = (leaves: readonly Tensor[], values: readonly NDArray[]): Map<string, NDArray> =>
  new Map(leaves.map((leaf, i) => [leaf.attributes.name as string, values[i]!]));
