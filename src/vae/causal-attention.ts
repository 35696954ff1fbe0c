/**
 * Attention of every token to itself and those before it, whole or in blocks of queries. Knows no pictures: tokens come flat.
 */
import {
  type AttentionForm,
  add,
  attention,
  concat,
  constant,
  dim,
  matmul,
  mul,
  slice,
  softmax,
  type Tensor,
  transposeLast,
} from '../tensor/index.ts';

/** Beyond this many tokens their square becomes a burden: a chunk of 544x992 has 42,160, whose square is 7 GB. */
const WHOLE_TOKENS = 2048;
const BLOCK_TOKENS = 512;
/** Far below every logit. */
const NOT_ATTENDED = -1e9;

/** softmax(q kᵀ · scale) v over keys up to each query: [B, H, N, d] each. In blocks where there are too many tokens. */
export function causalAttention(
  [q, k, v]: readonly [Tensor, Tensor, Tensor],
  options: { scale: number; form: AttentionForm; wholeTokens?: number; blockTokens?: number },
): Tensor {
  const { scale, form, wholeTokens = WHOLE_TOKENS, blockTokens = BLOCK_TOKENS } = options;
  const tokens = dim(q.shape, 2);
  if (tokens <= wholeTokens) return attention(q, k, v, { scale, form, bias: causalBias(tokens) });
  const scaled = mul(q, scale);
  const blocks: Tensor[] = [];
  for (let from = 0; from < tokens; from += blockTokens)
    blocks.push(block([scaled, k, v], from, Math.min(from + blockTokens, tokens)));
  return concat(blocks, 2);
}

/** Queries `from` up to `to`. Earlier keys need no mask, so that of the block itself, the same for all, is the only one. */
function block([q, k, v]: readonly [Tensor, Tensor, Tensor], from: number, to: number): Tensor {
  const queries = slice(q, 2, from, to);
  const logits = (first: number, end: number): Tensor => matmul(queries, transposeLast(slice(k, 2, first, end)));
  const own = add(logits(from, to), causalBias(to - from));
  return matmul(softmax(from === 0 ? own : concat([logits(0, from), own], 3)), slice(v, 2, 0, to));
}

/** 0 where key j <= query i: [1, 1, N, N]. */
function causalBias(tokens: number): Tensor {
  const data = new Float32Array(tokens * tokens);
  for (let i = 0; i < tokens; i++) data.fill(NOT_ATTENDED, i * tokens + i + 1, (i + 1) * tokens);
  return constant(data, [1, 1, tokens, tokens]);
}
