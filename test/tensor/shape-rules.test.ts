/** Shape rules, by property: what an op infers is what its reference returns; what breaks a rule throws by the error grammar. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Tensor } from '../../src/tensor/index.ts';
import * as t from '../../src/tensor/index.ts';
import { feedsOf, spread } from './values.ts';

const size = fc.integer({ min: 1, max: 4 });
const shapeOf = (min: number, max: number) => fc.array(size, { minLength: min, maxLength: max });
const PROPERTY = { numRuns: 60 };

/** Evaluates y over spread leaves and compares shapes and dtype. */
function agrees(leaves: Tensor[], y: Tensor): void {
  t.verify([y]);
  const feeds = feedsOf(
    leaves,
    leaves.map((leaf, i) => spread({ shape: leaf.shape, dtype: leaf.dtype, range: [0, 1] }, i)),
  );
  const [value] = t.evaluate([y], feeds);
  expect(value!.shape).toEqual(y.shape);
  expect(value!.dtype).toBe(y.dtype);
  expect(value!.data.length).toBe(t.sizeOf(y.shape));
}

describe('the inferred shape is that of the reference', () => {
  test('broadcasting: any pair that differs only by ones and leading axes', () => {
    const pair = shapeOf(0, 4).chain((full) =>
      fc.tuple(
        ...[0, 1].map(() =>
          fc
            .tuple(fc.integer({ min: 0, max: full.length }), fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }))
            .map(([cut, ones]) => full.slice(cut).map((d, i) => (ones[i] ? 1 : d))),
        ),
      ),
    );
    fc.assert(
      fc.property(pair, ([a, b]) => {
        const [x, y] = [t.input('a', a!), t.input('b', b!)];
        agrees([x, y], t.add(x, y));
        const rank = Math.max(a!.length, b!.length);
        const at = (s: number[], i: number): number => s[s.length - rank + i] ?? 1;
        expect(t.add(x, y).shape).toEqual(Array.from({ length: rank }, (_, i) => Math.max(at(a!, i), at(b!, i))));
      }),
      PROPERTY,
    );
  });

  test('slices of any range and step, pads, reversals and their gradients', () => {
    const range = shapeOf(1, 3).chain((shape) =>
      fc.record({
        shape: fc.constant(shape),
        axis: fc.integer({ min: 0, max: shape.length - 1 }),
        cuts: fc.tuple(fc.nat(4), fc.nat(4)),
        step: size,
      }),
    );
    fc.assert(
      fc.property(range, ({ shape, axis, cuts, step }) => {
        const [start, end] = cuts.map((c) => Math.min(c, shape[axis]!)).sort((a, b) => a - b) as [number, number];
        fc.pre(start < end);
        const x = t.input('x', shape);
        const y = t.slice(x, axis, start, end, step);
        agrees([x], y);
        agrees([x], t.vjp([{ output: y, gradient: t.slice(x, axis, start, end, step) }], [x])[0]!);
        agrees([x], t.dilate(x, axis, step));
        agrees([x], t.flip(x, [axis]));
        agrees(
          [x],
          t.pad(
            x,
            shape.map((_, i) => (i === axis ? start : 0)),
            shape.map(() => step),
          ),
        );
        agrees([x], t.mean(x, [axis], step % 2 === 0));
        agrees([x], t.softmax(x, axis));
      }),
      PROPERTY,
    );
  });

  test('convolutions of any size, padding and stride, and both their gradients', () => {
    const settings = fc.record({
      x: fc.tuple(size, size, fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 })),
      out: size,
      kernel: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
      pads: fc.tuple(fc.nat(2), fc.nat(2), fc.nat(2), fc.nat(2)),
      stride: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(settings, ({ x: shape, out, kernel, pads, stride }) => {
        const fits = shape[2] + pads[0] + pads[2] >= kernel[0] && shape[3] + pads[1] + pads[3] >= kernel[1];
        fc.pre(fits);
        const [x, w] = [t.input('x', shape), t.input('w', [out, shape[1], ...kernel])];
        const y = t.conv2d(x, w, undefined, pads, stride);
        agrees([x, w], y);
        const [dx, dw] = t.vjp([{ output: y, gradient: y }], [x, w]);
        agrees([x, w], dx!);
        agrees([x, w], dw!);
        expect([dx!.shape, dw!.shape]).toEqual([x.shape, w.shape]);
      }),
      PROPERTY,
    );
  });

  test('products with any batch axes, reshapes and transpositions', () => {
    fc.assert(
      fc.property(shapeOf(0, 2), shapeOf(3, 3), fc.boolean(), (batch, [m, k, n], flat) => {
        const [a, b] = [t.input('a', [...batch, m!, k!]), t.input('b', [...(flat ? [] : batch), k!, n!])];
        agrees([a, b], t.matmul(a, b));
        agrees([a], t.reshape(a, [-1]));
        agrees(
          [a],
          t.transpose(
            a,
            a.shape.map((_, i) => (i + 1) % a.shape.length),
          ),
        );
        agrees([a], t.concat([a, a], -2));
        agrees([a], t.expand(a, [3, ...a.shape]));
      }),
      PROPERTY,
    );
  });
});

const f = (...shape: number[]) => t.input(`f${shape.join()}`, shape);
const i32 = (...shape: number[]) => t.input(`i${shape.join()}`, shape, 'int32');
const bool = (...shape: number[]) => t.input(`b${shape.join()}`, shape, 'bool');

test.each<[string, () => Tensor]>([
  ['Add: shapes must broadcast, got [2, 3] and [2, 4]', () => t.add(f(2, 3), f(2, 4))],
  ['Add: operands must have one dtype, got float32 and int32', () => t.add(f(2), i32(2))],
  ['Mul: operands must be numbers, got bool', () => t.mul(bool(2), bool(2))],
  ['Exp: operands must be floats, got int32', () => t.exp(i32(2))],
  ['Gelu: operands must be floats, got int32', () => t.gelu(i32(2), 'none')],
  ['Where: the condition must be bool, got float32', () => t.where(f(2), f(2), f(2))],
  ['Where: operands must have one dtype, got float32 and int32', () => t.where(bool(2), f(2), i32(2))],
  ['MatMul: inner sizes must agree, got [2, 3] and [4, 5]', () => t.matmul(f(2, 3), f(4, 5))],
  ['MatMul: inner sizes must agree, got [3] and [3, 5]', () => t.matmul(f(3), f(3, 5))],
  ['MatMul: shapes must broadcast, got [2] and [3]', () => t.matmul(f(2, 3, 4), f(3, 4, 5))],
  ['MatMul: operands must be floats, got int32', () => t.matmul(i32(2, 2), i32(2, 2))],
  ['Gather: ids must be whole, got float32', () => t.gather(f(2, 2), f(2))],
  ['Gather: the table must have rows, got []', () => t.gather(f(), i32(2))],
  ['Reshape: must keep the 6 elements of [2, 3], got [4, 2]', () => t.reshape(f(2, 3), [4, 2])],
  ['Reshape: must keep the 6 elements of [2, 3], got [4, 1.5]', () => t.reshape(f(2, 3), [4, -1])],
  ['Transpose: order must permute 2 axes, got [0, 0]', () => t.transpose(f(2, 3), [0, 0])],
  ['Expand: [2, 3] must broadcast to the shape, got [3]', () => t.expand(f(2, 3), [3])],
  ['Concat: all but axis 0 must equal [2, 3], got [2, 4]', () => t.concat([f(2, 3), f(2, 4)], 0)],
  ['Concat: axis must lie in a rank 2 tensor, got 2', () => t.concat([f(2, 3), f(2, 4)], 2)],
  ['Slice: range must lie in axis 1 of [2, 3], got 1..4 by 1', () => t.slice(f(2, 3), 1, 1, 4)],
  ['Slice: range must lie in axis 1 of [2, 3], got 0..3 by 0', () => t.slice(f(2, 3), 1, 0, 3, 0)],
  ['Pad: needs two counts of at least 0 for each axis of [2], got [-1, 0]', () => t.pad(f(2), [-1], [0])],
  ['Flip: axis must lie in a rank 1 tensor, got -2', () => t.flip(f(2), [-2])],
  ['ReduceSum: axis must lie in a rank 2 tensor, got 2', () => t.sum(f(2, 3), [2])],
  ['Softmax: axis must lie in a rank 1 tensor, got 1', () => t.softmax(f(2), 1)],
  [
    'Conv: kernel [3, 3] must fit the padded picture, got [2, 4]',
    () => t.conv2d(f(1, 1, 2, 4), f(1, 1, 3, 3), undefined, [0, 0, 0, 0]),
  ],
  ['Conv: bias must be [2], got [3]', () => t.conv2d(f(1, 1, 3, 3), f(2, 1, 3, 3), f(3), [0, 0, 0, 0])],
  [
    'Conv: input [N, C, H, W] and weight [O, C, kh, kw] must agree on C, got [1, 2, 3, 3] and [2, 1, 3, 3]',
    () => t.conv2d(f(1, 2, 3, 3), f(2, 1, 3, 3), undefined, [0, 0, 0, 0]),
  ],
  [
    'Conv: pads must be at least 0 and the stride at least 1, got [0, 0, 0, 0, 0]',
    () => t.conv2d(f(1, 1, 3, 3), f(2, 1, 3, 3), undefined, [0, 0, 0, 0], 0),
  ],
  ['Resize: input must be [N, C, H, W], got [2, 3]', () => t.upsampleNearest(f(2, 3))],
  ['AveragePool: input must be [N, C, even, even], got [1, 1, 3, 2]', () => t.averagePool(f(1, 1, 3, 2))],
  ['LayerNormalization: scale and bias must be [3], got [2]', () => t.layerNorm(f(2, 3), f(2), undefined, 1e-5)],
  ['LayerNormalization: epsilon must be positive, got 0', () => t.layerNorm(f(2, 3), f(3), undefined, 0)],
  ['RMSNormalization: scale and bias must be [3], got [3, 1]', () => t.rmsNorm(f(2, 3), f(3, 1), 1e-6)],
  [
    'Attention: bias must end in [3, 5] and broadcast, got [2, 1, 3, 5]',
    () => t.apply('Attention', [f(1, 2, 3, 4), f(1, 2, 5, 4), f(1, 2, 5, 4), f(2, 1, 3, 5)], { scale: 1 }),
  ],
  [
    'Attention: needs [B, heads, N, d], [B, heads, M, d], [B, heads, M, e], got [1, 2, 3, 4] and [1, 1, 5, 4] and [1, 1, 5, 4]',
    () => t.attention(f(1, 2, 3, 4), f(1, 1, 5, 4), f(1, 1, 5, 4), { scale: 1, form: 'fused' }),
  ],
  [
    'FlashAttention: needs [B, N, H·d], [B, M, H·d], [B, M, H·e], got [1, 3, 8] and [1, 5, 8] and [1, 4, 8]',
    () => t.apply('FlashAttention', [f(1, 3, 8), f(1, 5, 8), f(1, 4, 8)], { heads: 2, scale: 1 }),
  ],
  [
    'MatMulNBits: blocks must cover 40 columns, got [5, 1, 16] and [5, 1]',
    () => t.matmulQuantized(f(2, 40), t.input('p', [5, 1, 16], 'uint8'), f(5, 1), { scheme: 'int4', block: 32 }),
  ],
  [
    'MatMulIntegerToFloat: inner sizes must agree, got [2, 7] and [8, 5] and [5]',
    () => t.matmulQuantized(f(2, 7), t.input('p', [8, 5], 'uint8'), f(5), { scheme: 'int8' }),
  ],
  [
    'MatMulIntegerToFloat: operands must be uint8, got uint8 and int8',
    () => t.matmulQuantized(f(2, 8), t.input('p', [8, 5], 'int8'), f(5), { scheme: 'int8' }),
  ],
  [
    'QuantizeLinear: needs a scale and a zero for each row, got [2, 7] and [1] and [2]',
    () => t.apply('QuantizeLinear', [f(2, 7), f(1), t.input('z', [2], 'uint8')]),
  ],
  ['Input: dimensions must be whole and not negative, got [2, -1]', () => f(2, -1)],
  ['constant: data must fill shape [3], got 2', () => t.constant(new Float32Array(2), [3])],
  ['op: must be defined, got Nothing', () => t.apply('Nothing', [])],
])('%s', (message, build) => {
  expect(build).toThrow(`internal: ${message}`);
});
