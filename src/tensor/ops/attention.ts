/**
 * Scaled dot-product attention: fused kernels for inference, and the same of primitive ops for training.
 * `attention` takes [B, heads, N, headDim] and additive biases as masks, `flashAttention` tokens before heads and none.
 */
import { internalError } from '../../errors.ts';
import { floatDtype, shapesText } from '../check.ts';
import { type NDArray, ndarray } from '../ndarray.ts';
import { defineOp } from '../op.ts';
import { broadcast, dim, sameShape, sizeOf, stridesOf } from '../shape.ts';
import { apply, type Tensor } from '../tensor.ts';
import { add, mul } from './elementwise.ts';
import { matmul } from './matmul.ts';
import { softmax } from './reduce.ts';
import { expand, reshape, transposeLast } from './shape.ts';

defineOp({
  name: 'Attention',
  infer([q, k, v, bias]) {
    const all = [q!, k!, v!];
    if (
      all.some((x) => x.shape.length !== 4 || !sameShape(x.shape.slice(0, 2), q!.shape.slice(0, 2))) ||
      dim(q!.shape, 3) !== dim(k!.shape, 3) ||
      dim(k!.shape, 2) !== dim(v!.shape, 2)
    )
      throw internalError('Attention', 'needs [B, heads, N, d], [B, heads, M, d], [B, heads, M, e]', shapesText(all));
    const logits = [...q!.shape.slice(0, 3), dim(k!.shape, 2)];
    if (bias !== undefined) {
      const fits = bias.shape.length === 4 && sameShape(bias.shape.slice(2), logits.slice(2));
      if (!fits || !sameShape(broadcast('Attention', bias.shape, logits), logits))
        throw internalError('Attention', `bias must end in [${logits.slice(2).join(', ')}] and broadcast`, bias.shape);
    }
    return { shape: [...q!.shape.slice(0, 3), dim(v!.shape, 3)], dtype: floatDtype('Attention', all) };
  },
  onnx: (node) => ({
    type: 'Attention',
    inputs: node.inputs,
    attributes: { scale: { float: node.attributes.scale as number } },
  }),
  reference([q, k, v, bias], node) {
    const [batch, heads, rows, width] = q!.shape as [number, number, number, number];
    const [keys, depth] = v!.shape.slice(2) as [number, number];
    const strides = bias && stridesOf(bias.shape).map((s, i) => (bias.shape[i] === 1 ? 0 : s));
    return everyQuery(node, [q!, k!, v!], {
      ...{ batch, heads, rows, keys, width, depth },
      query: (b, h, r) => (b * heads + h) * rows + r,
      key: (b, h, j) => (b * heads + h) * keys + j,
      bias: (b, h, r, j) =>
        strides ? bias!.data[b * strides[0]! + h * strides[1]! + r * strides[2]! + j * strides[3]!]! : 0,
    });
  },
  flops: (node) => 4 * sizeOf(node.shape) * dim(node.inputs[1]!.shape, 2),
});

/** q [B, N, H·d], k [B, M, H·d], v [B, M, H·e] -> [B, N, H·e]: walks over keys in blocks and keeps no logits (Dao et al. 2022). */
defineOp({
  name: 'FlashAttention',
  infer(all, { heads }) {
    const [q, k, v] = all as [Tensor, Tensor, Tensor];
    const fits =
      all.every(({ shape }) => shape.length === 3 && dim(shape, 2) % (heads as number) === 0) &&
      sameShape(k.shape.slice(0, 2), v.shape.slice(0, 2)) &&
      dim(q.shape, 0) === dim(k.shape, 0) &&
      dim(q.shape, 2) === dim(k.shape, 2);
    if (!fits) throw internalError('FlashAttention', 'needs [B, N, H·d], [B, M, H·d], [B, M, H·e]', shapesText(all));
    return { shape: [...q.shape.slice(0, 2), dim(v.shape, 2)], dtype: floatDtype('FlashAttention', all) };
  },
  onnx: ({ inputs, attributes: { heads, scale } }) => ({
    type: 'MultiHeadAttention',
    domain: 'com.microsoft',
    inputs,
    attributes: { num_heads: heads as number, scale: { float: scale as number } },
  }),
  reference([q, k, v], node) {
    const heads = node.attributes.heads as number;
    const [batch, rows] = q!.shape as [number, number, number];
    const keys = k!.shape[1] as number;
    return everyQuery(node, [q!, k!, v!], {
      ...{ batch, heads, rows, keys, width: q!.shape[2]! / heads, depth: v!.shape[2]! / heads },
      query: (b, h, r) => (b * rows + r) * heads + h,
      key: (b, h, j) => (b * keys + j) * heads + h,
      bias: () => 0,
    });
  },
  flops: (node) => 4 * sizeOf(node.shape) * dim(node.inputs[1]!.shape, 1),
});

/** How attention lies in memory: which vector of its array a query, or a key and its value, of a head is. */
type Layout = Readonly<Record<'batch' | 'heads' | 'rows' | 'keys' | 'width' | 'depth', number>> & {
  query(b: number, h: number, row: number): number;
  key(b: number, h: number, key: number): number;
  bias(b: number, h: number, row: number, key: number): number;
};

/** softmax(q kᵀ · scale + bias) v in double precision, one query after the other. */
function everyQuery(node: Tensor, [q, k, v]: readonly [NDArray, NDArray, NDArray], layout: Layout): NDArray {
  const out = ndarray(node.shape, node.dtype);
  const { batch, heads, rows, keys, width, depth } = layout;
  const scale = node.attributes.scale as number;
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++)
      for (let r = 0; r < rows; r++) {
        const query = layout.query(b, h, r);
        const logits = Float64Array.from({ length: keys }, (_, j) => {
          const key = layout.key(b, h, j);
          let dot = 0;
          for (let c = 0; c < width; c++) dot += q.data[query * width + c]! * k.data[key * width + c]!;
          return dot * scale + layout.bias(b, h, r, j);
        });
        const top = Math.max(...logits);
        const weights = logits.map((l) => Math.exp(l - top));
        const total = weights.reduce((s, w) => s + w, 0);
        for (let c = 0; c < depth; c++) {
          let value = 0;
          for (let j = 0; j < keys; j++) value += (weights[j]! / total) * v.data[layout.key(b, h, j) * depth + c]!;
          out.data[query * depth + c] = value;
        }
      }
  return out;
}

/** `flash` is `fused` where a graph offers nothing for `flashAttention`. */
export type AttentionForm = 'fused' | 'flash' | 'primitive';

/**
 * softmax(q kᵀ · scale + bias) v. q [B, H, N, d], k [B, H, M, d], v [B, H, M, e], bias of rank 4, broadcast to [B, H, N, M] -> [B, H, N, e].
 * Only `primitive` has a gradient.
 */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: { scale: number; bias?: Tensor | undefined; form: AttentionForm },
): Tensor {
  const { scale, bias, form } = options;
  if (form !== 'primitive') {
    if (bias === undefined) return apply('Attention', [q, k, v], { scale });
    // Kernels broadcast a bias over batch and heads, not over queries or keys.
    const rows = [...bias.shape.slice(0, 2), dim(q.shape, 2), dim(k.shape, 2)];
    return apply('Attention', [q, k, v, expand(bias, rows)], { scale });
  }
  const logits = matmul(mul(q, scale), transposeLast(k));
  return matmul(softmax(bias === undefined ? logits : add(logits, bias)), v);
}

/** softmax(q kᵀ · scale) v of q [B, N, H, d], k [B, M, H, d], v [B, M, H, e] -> [B, N, H·e], for many keys. No gradient. */
export function flashAttention(q: Tensor, k: Tensor, v: Tensor, { scale }: { scale: number }): Tensor {
  const joined = [q, k, v].map((x) => reshape(x, [...x.shape.slice(0, 2), -1]));
  return apply('FlashAttention', joined, { heads: dim(q.shape, 2), scale });
}
