/**
 * Float32 rows of a weight → codes and scales, and back. Knows arithmetic; does not know files.
 * Rounds to nearest, symmetric about zero. int4 tries a few scales a block and keeps the one with the least squared error.
 */
import { internalError } from '../errors.ts';
import type { QuantizedForm } from '../tensor/index.ts';

/**
 * Fractions of the scale that just holds a block's largest value. Below 1 that value is clipped and all others are finer;
 * the list takes 4-5 % off the error of 1 alone (trained weights, blocks of 64).
 */
const FRACTIONS = [1, 0.94, 0.88, 0.82, 0.76];

/**
 * `count` rows of `columns` weights → packed [count, blocks, block / 2] and scales [count, blocks]. A block's scale has the sign
 * that puts its largest weight at -8, since there are eight steps on that side and seven on the other.
 */
export function quantizeInt4(rows: Float32Array, count: number, columns: number, block: number) {
  const blocks = Math.ceil(columns / block);
  const packed = new Uint8Array((count * blocks * block) / 2);
  const scale = new Float32Array(count * blocks);
  for (let row = 0; row < count; row++)
    for (let b = 0; b < blocks; b++) {
      const from = row * columns + b * block;
      const to = Math.min(from + block, (row + 1) * columns);
      const step = bestStep(rows, from, to);
      scale[row * blocks + b] = step;
      const inverse = step === 0 ? 0 : 1 / step;
      const at = (row * blocks + b) * (block / 2);
      for (let k = from; k < to; k++) {
        const code = nearest(rows[k]! * inverse) + 8;
        packed[at + ((k - from) >> 1)]! |= ((k - from) & 1) === 0 ? code : code << 4;
      }
      // What fills the last block is zero, should a kernel multiply it.
      for (let k = to - from; k < block; k++) packed[at + (k >> 1)]! |= (k & 1) === 0 ? 8 : 8 << 4;
    }
  return { packed, scale };
}

function bestStep(x: Float32Array, from: number, to: number): number {
  let largest = 0;
  for (let k = from; k < to; k++) if (Math.abs(x[k]!) > Math.abs(largest)) largest = x[k]!;
  // A scale that float32 rounds to zero stands for a block of zeros.
  if (Math.fround(Math.abs(largest) * FRACTIONS.at(-1)! * 0.125) === 0) return 0;
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (const fraction of FRACTIONS) {
    const step = Math.fround((largest * fraction) / -8);
    const inverse = 1 / step;
    let error = 0;
    for (let k = from; k < to; k++) {
      const v = x[k]!;
      const e = v - nearest(v * inverse) * step;
      error += e * e;
    }
    if (error < least) {
      least = error;
      best = step;
    }
  }
  return best;
}

/** The nearest of -8 to 7. */
function nearest(x: number): number {
  const code = Math.floor(x + 0.5);
  return code < -8 ? -8 : Math.min(code, 7);
}

/** Codes that are transposed as they are made, `total` rows in all: packed [columns, total], scale [total]. */
export type Int8Target = { readonly packed: Uint8Array; readonly scale: Float32Array; readonly total: number };

/** Quantizes `count` rows of `columns` weights into `target` as its rows from `first` on. */
export function quantizeInt8(rows: Float32Array, first: number, columns: number, target: Int8Target): void {
  const { packed, scale, total } = target;
  const count = rows.length / columns;
  for (let row = 0; row < count; row++) {
    let largest = 0;
    for (let k = row * columns; k < (row + 1) * columns; k++) largest = Math.max(largest, Math.abs(rows[k]!));
    scale[first + row] = largest / 127;
  }
  // A few rows at a time, so that what is written lies together and what is read stays in the cache.
  for (let from = 0; from < count; from += 16) {
    const to = Math.min(from + 16, count);
    const inverse = Float64Array.from(scale.subarray(first + from, first + to), (s) => (s === 0 ? 0 : 1 / s));
    for (let k = 0; k < columns; k++)
      for (let row = from; row < to; row++) {
        const code = Math.floor(rows[row * columns + k]! * inverse[row - from]! + 0.5);
        packed[k * total + first + row] = 128 + Math.max(-127, Math.min(127, code));
      }
  }
}

/** The weights [rows, columns] that codes and scales stand for. */
export function dequantize(
  form: QuantizedForm,
  [rows, columns]: readonly [number, number],
  packed: Uint8Array,
  scale: Float32Array,
): Float32Array {
  const out = new Float32Array(rows * columns);
  switch (form.scheme) {
    case 'int8':
      for (let row = 0; row < rows; row++)
        for (let k = 0; k < columns; k++) out[row * columns + k] = (packed[k * rows + row]! - 128) * scale[row]!;
      return out;
    case 'int4': {
      const { block } = form;
      const blocks = Math.ceil(columns / block);
      for (let row = 0; row < rows; row++)
        for (let k = 0; k < columns; k++) {
          const byte = packed[(row * blocks * block + k) >> 1]!;
          const code = (k & 1) === 0 ? byte & 15 : byte >> 4;
          out[row * columns + k] = (code - 8) * scale[row * blocks + Math.floor(k / block)]!;
        }
      return out;
    }
    default:
      throw internalError('dequantize', 'a known scheme', form satisfies never);
  }
}

/** Index of the first value that is not finite, or -1. */
export const firstNotFinite = (values: Float32Array): number => {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i]!)) return i;
  return -1;
};
