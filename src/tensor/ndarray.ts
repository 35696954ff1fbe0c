/**
 * Values of the slow reference: every element a float64 whatever the dtype, so that it can judge float32 devices.
 */
import type { DType } from './dtype.ts';
import { type Shape, sizeOf, stridesOf } from './shape.ts';

export type NDArray = { readonly shape: Shape; readonly dtype: DType; readonly data: Float64Array };

export const ndarray = (shape: Shape, dtype: DType, data?: Float64Array): NDArray => ({
  shape,
  dtype,
  data: data ?? new Float64Array(sizeOf(shape)),
});

/** Calls `visit(index, flat)` for each multi-index in row-major order; `index` is reused between calls. */
export function eachIndex(shape: Shape, visit: (index: readonly number[], flat: number) => void): void {
  const index = new Array<number>(shape.length).fill(0);
  const size = sizeOf(shape);
  for (let flat = 0; flat < size; flat++) {
    visit(index, flat);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] as number) + 1;
      if (next < (shape[axis] as number)) {
        index[axis] = next;
        break;
      }
      index[axis] = 0;
    }
  }
}

/** A reader of `array` at an index of the broadcast shape `to`. */
export function broadcastReader(array: NDArray, to: Shape): (index: readonly number[]) => number {
  const lead = to.length - array.shape.length;
  const strides = stridesOf(array.shape).map((s, i) => (array.shape[i] === 1 ? 0 : s));
  return (index) => {
    let at = 0;
    for (let i = 0; i < strides.length; i++) at += (strides[i] as number) * (index[i + lead] as number);
    return array.data[at] as number;
  };
}

/** Builds an array by computing each element from its index. */
export function generate(shape: Shape, dtype: DType, value: (index: readonly number[]) => number): NDArray {
  const out = ndarray(shape, dtype);
  eachIndex(shape, (index, flat) => {
    out.data[flat] = value(index);
  });
  return out;
}

/** Error function by series and continued fraction (Abramowitz and Stegun 7.1.5, 7.1.14). */
export function erfValue(x: number): number {
  const a = Math.abs(x);
  if (a < 2.5) {
    let term = a;
    let sum = a;
    for (let n = 1; n < 80; n++) {
      term *= (-a * a) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let k = 60; k >= 1; k--) fraction = k / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / ((a + fraction) * Math.sqrt(Math.PI)));
}
