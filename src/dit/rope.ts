/**
 * Three-part rotary position: the channels of a head are shared out to frame, row and column, each part rotated by its own coordinate.
 * Knows the grid; does not know attention.
 */
import { internalError } from '../errors.ts';
import { add, constant, dim, matmul, mul, reshape, slice, type Tensor } from '../tensor/index.ts';
import type { TransformerConfig } from '../weights/component-config.ts';

const BASE = 1e4;

/** Frames, rows and columns of tokens. */
export type Grid = readonly [frames: number, rows: number, columns: number];
/** Channels of a head for frame, row and column; all even. */
export type RopeSplit = readonly [frame: number, row: number, column: number];

/** The config's own split, or half of a head for time and a quarter each for rows and columns (64, 32, 32 of the official 128). */
export function ropeSplit({
  attention_head_dim: width,
  rope_ch_split,
}: Pick<TransformerConfig, 'attention_head_dim' | 'rope_ch_split'>): RopeSplit {
  return rope_ch_split ?? [width / 2, width / 4, width / 4];
}

/**
 * Cosine and sine of every token's angle in every channel, each [tokens, sum of split] flat; tokens in raster order (frame, row, column).
 * `round` narrows each angle, cosine and sine, as a release that computes in 16 bits does.
 */
export function ropeTables(
  grid: Grid,
  split: RopeSplit,
  round: (x: number) => number = (x) => x,
): { cos: Float32Array; sin: Float32Array } {
  if (split.some((width) => width % 2 !== 0)) throw internalError('rope', 'every part must be even', split);
  const [frames, rows, columns] = grid;
  const width = split[0] + split[1] + split[2];
  const cos = new Float32Array(frames * rows * columns * width);
  const sin = new Float32Array(cos.length);
  const frequencies = split.map((part) =>
    Float32Array.from({ length: part / 2 }, (_, i) => 1 / Math.fround(BASE ** Math.fround((2 * i) / part))),
  );
  let at = 0;
  for (let f = 0; f < frames; f++)
    for (let h = 0; h < rows; h++)
      for (let w = 0; w < columns; w++) {
        [f, h, w].forEach((position, axis) => {
          const own = frequencies[axis] as Float32Array;
          for (let i = 0; i < 2 * own.length; i++, at++) {
            const angle = round(Math.fround(position * (own[i % own.length] as number)));
            cos[at] = round(Math.cos(angle));
            sin[at] = round(Math.sin(angle));
          }
        });
      }
  return { cos, sin };
}

/** The matrix that takes (a, b), the halves of each part, to (-b, a): [width, width] flat. */
function quarterTurn(split: RopeSplit): Float32Array {
  const width = split[0] + split[1] + split[2];
  const turn = new Float32Array(width * width);
  let start = 0;
  for (const part of split) {
    const half = part / 2;
    for (let i = start; i < start + half; i++) {
      turn[(i + half) * width + i] = -1;
      turn[i * width + i + half] = 1;
    }
    start += part;
  }
  return turn;
}

/** Cosine and sine of every token's angles, [tokens, headDim] each. */
export type RopeTables = { readonly cos: Tensor; readonly sin: Tensor };

/** The tables of `grid` as part of a graph. */
export function ropeConstants(grid: Grid, split: RopeSplit): RopeTables {
  const shape = [grid[0] * grid[1] * grid[2], split[0] + split[1] + split[2]];
  const tables = ropeTables(grid, split);
  return { cos: constant(tables.cos, shape), sin: constant(tables.sin, shape) };
}

/** Rotates queries or keys, [B, heads, n, headDim] or with tokens as axis 1, by the places of the tokens from `from` on. The turn is a product: its gradient is one too, where that of six slices is six paddings. */
export function rotary(
  { cos, sin }: RopeTables,
  split: RopeSplit,
): (x: Tensor, from?: number, tokenAxis?: 1 | 2) => Tensor {
  const width = split[0] + split[1] + split[2];
  const turn = constant(quarterTurn(split), [width, width]);
  return (x, from = 0, tokenAxis = 2) => {
    const tokens = dim(x.shape, tokenAxis);
    const rows = (table: Tensor): Tensor => {
      const own = slice(table, 0, from, from + tokens);
      return tokenAxis === 2 ? own : reshape(own, [tokens, 1, width]);
    };
    return add(mul(x, rows(cos)), mul(matmul(x, turn), rows(sin)));
  };
}
