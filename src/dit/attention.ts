/**
 * Self-attention over video tokens and cross-attention to text: projections interleaved per head, RMSNorm on queries and keys.
 * Rotation is handed in; norms around, gates and residuals are the block's.
 */
import { linear } from '../nn/linear.ts';
import { rmsNorm } from '../nn/norm.ts';
import type { Scope } from '../nn/scope.ts';
import {
  type AttentionForm,
  attention,
  dim,
  flashAttention,
  reshape,
  slice,
  type Tensor,
  transpose,
} from '../tensor/index.ts';

const QK_EPSILON = 1e-6;

export type AttentionConfig = { readonly heads: number; readonly headDim: number; readonly form: AttentionForm };

/** Projected [B, N, heads · parts · headDim], parts side by side within each head -> `parts` tensors [B, heads, N, headDim]. */
function headParts(x: Tensor, { heads, headDim }: AttentionConfig, parts: number): Tensor[] {
  const [batch, tokens] = [dim(x.shape, 0), dim(x.shape, 1)];
  const apart = transpose(reshape(x, [batch, tokens, heads, parts, headDim]), [3, 0, 2, 1, 4]);
  return Array.from({ length: parts }, (_, i) => reshape(slice(apart, 0, i, i + 1), [batch, heads, tokens, headDim]));
}

/** The same with tokens before heads: [B, N, heads, headDim] each. */
function tokenParts(x: Tensor, { heads, headDim }: AttentionConfig, parts: number): Tensor[] {
  const [batch, tokens] = [dim(x.shape, 0), dim(x.shape, 1)];
  const apart = reshape(x, [batch, tokens, heads, parts, headDim]);
  return Array.from({ length: parts }, (_, i) => reshape(slice(apart, 3, i, i + 1), [batch, tokens, heads, headDim]));
}

/** [B, heads, N, headDim] -> [B, N, heads · headDim]. */
function joinHeads(x: Tensor): Tensor {
  const [batch, heads, tokens, headDim] = x.shape as readonly [number, number, number, number];
  return reshape(transpose(x, [0, 2, 1, 3]), [batch, tokens, heads * headDim]);
}

const scaleOf = (config: AttentionConfig): number => 1 / Math.sqrt(config.headDim);

/** From this many tokens on logits are not kept: they begin to weigh, and without them it is faster with AVX-512 (docs/log.md). */
const FLASH_TOKENS = 1024;

/** Queries, keys and values [B, heads, N, headDim], or with tokens before heads. */
type Projected = readonly [query: Tensor, key: Tensor, value: Tensor];

/** Every token attends to all, in two steps, so that callers may take tokens piece by piece in each. */
export type SelfAttention = {
  /** Which axis of what `project` gives are tokens. */
  readonly tokenAxis: 1 | 2;
  /** Some tokens [B, n, D] to their queries, keys and values, placed by `rotate`. `observe` sees queries and keys after their norms. */
  project(
    x: Tensor,
    rotate: (x: Tensor, tokenAxis: 1 | 2) => Tensor,
    observe?: (name: string, x: Tensor) => void,
  ): Projected;
  /** Some queries over the keys and values of all tokens -> [B, n, D]. */
  attend(query: Tensor, key: Tensor, value: Tensor): Tensor;
};

/** Declares the weights; returns the attention among so many tokens. */
export function selfAttention(scope: Scope, config: AttentionConfig): (tokens: number) => SelfAttention {
  const width = config.heads * config.headDim;
  const wqkv = linear(scope.at('wqkv'), [width, 3 * width], { bias: false });
  const wo = linear(scope.at('wo'), [width, width], { bias: false });
  const qNorm = rmsNorm(scope.at('q_norm'), config.headDim, QK_EPSILON);
  const kNorm = rmsNorm(scope.at('k_norm'), config.headDim, QK_EPSILON);
  return (tokens) => {
    const isFlash = config.form === 'flash' && tokens >= FLASH_TOKENS;
    const tokenAxis = isFlash ? 1 : 2;
    const partsOf = isFlash ? tokenParts : headParts;
    const options = { scale: scaleOf(config), form: config.form };
    return {
      tokenAxis,
      project(x, rotate, observe = () => {}) {
        const [q, k, v] = partsOf(wqkv(x), config, 3) as [Tensor, Tensor, Tensor];
        const [query, key] = [qNorm(q), kNorm(k)];
        observe('q_norm', query);
        observe('k_norm', key);
        return [rotate(query, tokenAxis), rotate(key, tokenAxis), v];
      },
      attend: (query, key, value) =>
        wo(isFlash ? flashAttention(query, key, value, options) : joinHeads(attention(query, key, value, options))),
    };
  };
}

/** x [B, N, D] attends to text [B, L, D]; `bias` [B, 1, 1, L] is added to the logits. No positions. */
export function crossAttention(
  scope: Scope,
  config: AttentionConfig,
): (x: Tensor, text: Tensor, bias: Tensor) => Tensor {
  const width = config.heads * config.headDim;
  const wq = linear(scope.at('wq'), [width, width], { bias: false });
  const wkv = linear(scope.at('wkv'), [width, 2 * width], { bias: false });
  const wo = linear(scope.at('wo'), [width, width], { bias: false });
  const qNorm = rmsNorm(scope.at('q_norm'), config.headDim, QK_EPSILON);
  const kNorm = rmsNorm(scope.at('k_norm'), config.headDim, QK_EPSILON);
  return (x, text, bias) => {
    const [q] = headParts(wq(x), config, 1) as [Tensor]; //                               [B, heads, N, headDim]
    const [k, v] = headParts(wkv(text), config, 2) as [Tensor, Tensor]; //                [B, heads, L, headDim]
    return wo(joinHeads(attention(qNorm(q), kNorm(k), v, { scale: scaleOf(config), bias, form: config.form })));
  };
}
