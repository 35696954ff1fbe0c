/**
 * One transformer block: modulated self-attention, plain cross-attention, modulated feed-forward, each added to the stream.
 */
import { linear, type Module } from '../nn/linear.ts';
import { layerNorm } from '../nn/norm.ts';
import type { Scope } from '../nn/scope.ts';
import { add, concat, dim, gelu, mul, reshape, slice, type Tensor } from '../tensor/index.ts';
import { type AttentionConfig, crossAttention, selfAttention } from './attention.ts';

export type Observe = (name: string, features: Tensor) => void;

/** What every block is given beside the stream. */
export type BlockContext = {
  /** [B, L, D], CLIP states first. */
  readonly text: Tensor;
  /** Added to cross-attention logits, [B, 1, 1, L]. */
  readonly textBias: Tensor;
  /** Shared modulation [B, 6 D]; each block adds its own table. */
  readonly modulation: Tensor;
  /** Places queries or keys of the tokens from `from` on. */
  readonly rotate: (x: Tensor, from: number, tokenAxis: 1 | 2) => Tensor;
  /** Tokens that go through the block side by side; all where undefined. Fewer take less memory, to the same result. */
  readonly tile?: number | undefined;
};

/** The block norms' own epsilon: the model's `norm_eps` does not reach them. */
const BLOCK_EPSILON = 1e-5;

/** x · (1 + scale) + shift, both [B, 1, D]. */
export const modulate = (x: Tensor, scale: Tensor, shift: Tensor): Tensor => add(mul(x, add(scale, 1)), shift);

/** Table [parts, D] plus a vector for each sample [B, parts · D or D] -> `parts` tensors [B, 1, D]. */
export function modulationParts(table: Tensor, vectors: Tensor): Tensor[] {
  const [parts, width] = table.shape as readonly [number, number];
  const summed = add(reshape(vectors, [dim(vectors.shape, 0), -1, width]), table); //     [B, parts, D]
  return Array.from({ length: parts }, (_, i) => slice(summed, 1, i, i + 1));
}

/** A block over the stream [B, N, D]. `observe` sees its parts by their module names. */
export function block(
  scope: Scope,
  config: AttentionConfig,
): (x: Tensor, context: BlockContext, observe?: Observe) => Tensor {
  const width = config.heads * config.headDim;
  const table = scope.parameter('scale_shift_table', [6, width], { normal: 1 / Math.sqrt(width) });
  const norm1 = layerNorm(scope.at('norm1'), width, { eps: BLOCK_EPSILON });
  const attn1Among = selfAttention(scope.at('attn1'), config);
  const attn2 = crossAttention(scope.at('attn2'), config);
  const norm2 = layerNorm(scope.at('norm2'), width, { eps: BLOCK_EPSILON });
  const ff = feedForward(scope.at('ff'), width);

  return (input, { text, textBias, modulation, rotate, tile }, observe = () => {}) => {
    const see = (name: string, x: Tensor): Tensor => {
      observe(name, x);
      return x;
    };
    const parts = modulationParts(table, modulation) as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
    const [shiftSelf, scaleSelf, gateSelf, shiftFeed, scaleFeed, gateFeed] = parts;
    const seeSelf = (name: string, y: Tensor): void => observe(`attn1.${name}`, y);
    const tiles = tilesOf(input, tile); //                                                [B, n, D] each
    const attn1 = attn1Among(dim(input.shape, 1));
    const projected = tiles.map(({ x, from }) => {
      const placed = (y: Tensor, tokenAxis: 1 | 2): Tensor => rotate(y, from, tokenAxis);
      return attn1.project(modulate(see('norm1', norm1(x)), scaleSelf, shiftSelf), placed, seeSelf);
    });
    const key = concat(
      projected.map(([, k]) => k),
      attn1.tokenAxis,
    );
    const value = concat(
      projected.map(([, , v]) => v),
      attn1.tokenAxis,
    );
    const outputs = tiles.map(({ x: tokens }, i) => {
      const attended = attn1.attend(projected[i]![0], key, value);
      let x = add(mul(see('attn1', attended), gateSelf), tokens);
      x = add(see('attn2', attn2(x, text, textBias)), x);
      return add(mul(see('ff', ff(modulate(see('norm2', norm2(x)), scaleFeed, shiftFeed))), gateFeed), x);
    });
    return concat(outputs, 1); //                                                         [B, N, D]
  };
}

/** The tokens of x [B, N, D] in pieces of at most `tile` and nearly one size, with the place of the first of each: products of a single row round otherwise. */
function tilesOf(x: Tensor, tile = dim(x.shape, 1)): { x: Tensor; from: number }[] {
  const tokens = dim(x.shape, 1);
  const count = Math.ceil(tokens / tile);
  return Array.from({ length: count }, (_, i) => {
    const [from, to] = [i, i + 1].map((at) => Math.floor((at * tokens) / count)) as [number, number];
    return { x: slice(x, 1, from, to), from };
  });
}

/** Four times as wide inside, no biases. */
function feedForward(scope: Scope, width: number): Module {
  const net = scope.at('net');
  const widen = linear(net.at(0).at('proj'), [width, 4 * width], { bias: false });
  const narrow = linear(net.at(2), [4 * width, width], { bias: false });
  return (x) => narrow(gelu(widen(x), 'tanh'));
}
