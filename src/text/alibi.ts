/**
 * Positions of Step-LLM: attention falls with the square root of distance, each head by its own slope, and never looks ahead.
 * The square root is inferred from sibling releases of the same family; the official operator is closed.
 */
import { constant, type Tensor } from '../tensor/index.ts';

const NOT_ATTENDED = -1e9;

/** Slopes of `heads` heads: powers of 2^(-8/n) for the largest power of two n, then every other power of 2^(-4/n) (ALiBi, arXiv 2108.12409). */
export function alibiSlopes(heads: number): number[] {
  const whole = 2 ** Math.floor(Math.log2(heads));
  return Array.from({ length: heads }, (_, i) =>
    i < whole ? 2 ** ((-8 / whole) * (i + 1)) : 2 ** ((-4 / whole) * (2 * (i - whole) + 1)),
  );
}

/** -slope · sqrt(i - j) where key j <= query i, far below every logit elsewhere: [heads, length, length] flat. */
export function sqrtAlibiTable(heads: number, length: number): Float32Array {
  const data = new Float32Array(heads * length * length).fill(NOT_ATTENDED);
  alibiSlopes(heads).forEach((slope, h) => {
    for (let i = 0; i < length; i++)
      for (let j = 0; j <= i; j++) data[(h * length + i) * length + j] = -slope * Math.sqrt(i - j);
  });
  return data;
}

/** The table as part of a graph. */
export const sqrtAlibiBias = (heads: number, length: number): Tensor =>
  constant(sqrtAlibiTable(heads, length), [heads, length, length]);
