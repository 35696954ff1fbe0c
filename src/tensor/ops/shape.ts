/**
 * Ops that move elements without changing them: reshape, transpose, expand, concat, slice, pad.
 */
import { internalError } from '../../errors.ts';
import { oneDtype } from '../check.ts';
import { eachIndex, generate, ndarray } from '../ndarray.ts';
import { defineOp } from '../op.ts';
import { axisOf, broadcast, dim, type Shape, sameShape, sizeOf, stridesOf } from '../shape.ts';
import { type Attributes, apply, type Tensor } from '../tensor.ts';
import { sumTo } from './reduce.ts';

const numbers = (attributes: Attributes, name: string): readonly number[] => attributes[name] as readonly number[];

defineOp({
  name: 'Reshape',
  infer([x], attributes) {
    const shape = numbers(attributes, 'shape');
    if (sizeOf(shape) !== sizeOf(x!.shape) || !shape.every((d) => Number.isInteger(d) && d >= 0))
      throw internalError('Reshape', `must keep the ${sizeOf(x!.shape)} elements of [${x!.shape.join(', ')}]`, shape);
    return { shape, dtype: x!.dtype };
  },
  gradient: (node, dy) => [reshape(dy, node.inputs[0]!.shape)],
  onnx: (node) => ({
    type: 'Reshape',
    inputs: [node.inputs[0]!, { int64: node.shape }],
    ...(node.shape.includes(0) && { attributes: { allowzero: 1 } }),
  }),
  reference: ([x], node) => ({ shape: node.shape, dtype: node.dtype, data: x!.data }),
});
/** Same elements in row-major order; one dimension may be -1. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = shape.reduce((product, d) => (d === -1 ? product : product * d), 1);
  const full = shape.map((d) => (d === -1 ? sizeOf(x.shape) / known : d));
  return sameShape(full, x.shape) ? x : apply('Reshape', [x], { shape: full });
}

defineOp({
  name: 'Transpose',
  infer([x], attributes) {
    const order = numbers(attributes, 'order');
    if (order.length !== x!.shape.length || new Set(order).size !== order.length)
      throw internalError('Transpose', `order must permute ${x!.shape.length} axes`, order);
    return { shape: order.map((a) => dim(x!.shape, a)), dtype: x!.dtype };
  },
  gradient(node, dy) {
    const order = numbers(node.attributes, 'order');
    return [
      transpose(
        dy,
        order.map((_, i) => order.indexOf(i)),
      ),
    ];
  },
  onnx: (node) => ({ type: 'Transpose', inputs: node.inputs, attributes: { perm: numbers(node.attributes, 'order') } }),
  reference([x], node) {
    const strides = stridesOf(x!.shape);
    const from = numbers(node.attributes, 'order').map((a) => strides[a] as number);
    return generate(node.shape, node.dtype, (i) => x!.data[i.reduce((at, v, a) => at + v * (from[a] as number), 0)]!);
  },
});
export const transpose = (x: Tensor, order: readonly number[]): Tensor =>
  order.every((a, i) => a === i) ? x : apply('Transpose', [x], { order });
/** Exchanges the last two axes. */
export const transposeLast = (x: Tensor): Tensor => {
  const order = x.shape.map((_, i) => i);
  return transpose(x, [...order.slice(0, -2), order.length - 1, order.length - 2]);
};

defineOp({
  name: 'Expand',
  infer([x], attributes) {
    const shape = numbers(attributes, 'shape');
    if (!sameShape(broadcast('Expand', x!.shape, shape), shape))
      throw internalError('Expand', `[${x!.shape.join(', ')}] must broadcast to the shape`, shape);
    return { shape, dtype: x!.dtype };
  },
  gradient: (node, dy) => [sumTo(dy, node.inputs[0]!.shape)],
  onnx: (node) => ({ type: 'Expand', inputs: [node.inputs[0]!, { int64: node.shape }] }),
  reference([x], node) {
    const lead = node.shape.length - x!.shape.length;
    const strides = stridesOf(x!.shape).map((s, i) => (x!.shape[i] === 1 ? 0 : s));
    return generate(
      node.shape,
      node.dtype,
      (i) => x!.data[strides.reduce((at, s, a) => at + s * (i[a + lead] as number), 0)]!,
    );
  },
});
export const expand = (x: Tensor, shape: Shape): Tensor =>
  sameShape(x.shape, shape) ? x : apply('Expand', [x], { shape });

defineOp({
  name: 'Concat',
  infer(inputs, attributes) {
    const axis = attributes.axis as number;
    const first = inputs[0]!;
    for (const x of inputs)
      if (x.shape.length !== first.shape.length || x.shape.some((d, i) => i !== axis && d !== first.shape[i]))
        throw internalError('Concat', `all but axis ${axis} must equal [${first.shape.join(', ')}]`, x.shape);
    const total = inputs.reduce((n, x) => n + dim(x.shape, axis), 0);
    return { shape: first.shape.map((d, i) => (i === axis ? total : d)), dtype: oneDtype('Concat', inputs) };
  },
  gradient(node, dy) {
    const axis = node.attributes.axis as number;
    let at = 0;
    return node.inputs.map((x) => {
      const start = at;
      at += dim(x.shape, axis);
      return slice(dy, axis, start, at);
    });
  },
  onnx: (node) => ({ type: 'Concat', inputs: node.inputs, attributes: { axis: node.attributes.axis as number } }),
  reference(inputs, node) {
    const axis = node.attributes.axis as number;
    const out = ndarray(node.shape, node.dtype);
    const strides = stridesOf(node.shape);
    let offset = 0;
    for (const x of inputs) {
      eachIndex(x.shape, (index, flat) => {
        const at = index.reduce((sum, i, a) => sum + (a === axis ? i + offset : i) * (strides[a] as number), 0);
        out.data[at] = x.data[flat] as number;
      });
      offset += dim(x.shape, axis);
    }
    return out;
  },
});
export const concat = (inputs: readonly Tensor[], axis: number): Tensor =>
  inputs.length === 1 ? inputs[0]! : apply('Concat', inputs, { axis: axisOf('Concat', axis, inputs[0]!.shape.length) });

type Range = { axis: number; start: number; end: number; step: number };
const rangeOf = (attributes: Attributes): Range => attributes as unknown as Range;

defineOp({
  name: 'Slice',
  infer([x], attributes) {
    const { axis, start, end, step } = rangeOf(attributes);
    const size = dim(x!.shape, axis);
    if (!(start >= 0 && start <= end && end <= size && step >= 1))
      throw internalError(
        'Slice',
        `range must lie in axis ${axis} of [${x!.shape.join(', ')}]`,
        `${start}..${end} by ${step}`,
      );
    return { shape: x!.shape.map((d, i) => (i === axis ? Math.ceil((end - start) / step) : d)), dtype: x!.dtype };
  },
  gradient(node, dy) {
    const x = node.inputs[0]!;
    const { axis, start, step } = rangeOf(node.attributes);
    const spread = dilate(dy, axis, step);
    const before = x.shape.map((_, i) => (i === axis ? start : 0));
    const after = x.shape.map((d, i) => (i === axis ? d - start - dim(spread.shape, axis) : 0));
    return [pad(spread, before, after)];
  },
  onnx(node) {
    const { axis, start, end, step } = rangeOf(node.attributes);
    const inputs = [node.inputs[0]!, { int64: [start] }, { int64: [end] }, { int64: [axis] }];
    return { type: 'Slice', inputs: step === 1 ? inputs : [...inputs, { int64: [step] }] };
  },
  reference([x], node) {
    const { axis, start, step } = rangeOf(node.attributes);
    const strides = stridesOf(x!.shape);
    return generate(
      node.shape,
      node.dtype,
      (i) => x!.data[i.reduce((at, v, a) => at + (a === axis ? v * step + start : v) * (strides[a] as number), 0)]!,
    );
  },
});
/** Elements `start` to `end` (exclusive) of one axis, every `step`-th. */
export function slice(x: Tensor, axis: number, start: number, end: number, step = 1): Tensor {
  const a = axisOf('Slice', axis, x.shape.length);
  return start === 0 && end === x.shape[a] && step === 1 ? x : apply('Slice', [x], { axis: a, start, end, step });
}
/** `step - 1` zeros between neighbours of one axis: size n becomes (n - 1)·step + 1. */
export function dilate(x: Tensor, axis: number, step: number): Tensor {
  if (step === 1) return x;
  const size = dim(x.shape, axis);
  const apart = reshape(x, [...x.shape.slice(0, axis + 1), 1, ...x.shape.slice(axis + 1)]);
  const zeros = apart.shape.map((_, i) => (i === axis + 1 ? step - 1 : 0));
  const spread = reshape(
    pad(
      apart,
      apart.shape.map(() => 0),
      zeros,
    ),
    x.shape.map((d, i) => (i === axis ? d * step : d)),
  );
  return slice(spread, axis, 0, (size - 1) * step + 1);
}

defineOp({
  name: 'Flip',
  infer: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  gradient: (node, dy) => [flip(dy, numbers(node.attributes, 'axes'))],
  onnx(node) {
    const axes = numbers(node.attributes, 'axes');
    const all = (value: number): { int64: number[] } => ({ int64: axes.map(() => value) });
    return { type: 'Slice', inputs: [node.inputs[0]!, all(-1), all(-(2 ** 31)), { int64: axes }, all(-1)] };
  },
  reference([x], node) {
    const axes = numbers(node.attributes, 'axes');
    const strides = stridesOf(x!.shape);
    return generate(
      node.shape,
      node.dtype,
      (i) =>
        x!.data[
          i.reduce((at, v, a) => at + (axes.includes(a) ? dim(node.shape, a) - 1 - v : v) * (strides[a] as number), 0)
        ]!,
    );
  },
});
/** Reverses the order along each of `axes`. */
export const flip = (x: Tensor, axes: readonly number[]): Tensor =>
  apply('Flip', [x], { axes: axes.map((a) => axisOf('Flip', a, x.shape.length)) });

defineOp({
  name: 'Pad',
  infer([x], attributes) {
    const [before, after] = [numbers(attributes, 'before'), numbers(attributes, 'after')];
    if (
      before.length !== x!.shape.length ||
      after.length !== x!.shape.length ||
      [...before, ...after].some((p) => p < 0)
    )
      throw internalError('Pad', `needs two counts of at least 0 for each axis of [${x!.shape.join(', ')}]`, [
        ...before,
        ...after,
      ]);
    return { shape: x!.shape.map((d, i) => d + (before[i] as number) + (after[i] as number)), dtype: x!.dtype };
  },
  gradient(node, dy) {
    const before = numbers(node.attributes, 'before');
    const shape = node.inputs[0]!.shape;
    return [shape.reduce((g, d, a) => slice(g, a, before[a] as number, (before[a] as number) + d), dy)];
  },
  onnx: (node) => ({
    type: 'Pad',
    inputs: [node.inputs[0]!, { int64: [...numbers(node.attributes, 'before'), ...numbers(node.attributes, 'after')] }],
  }),
  reference([x], node) {
    const before = numbers(node.attributes, 'before');
    const out = ndarray(node.shape, node.dtype);
    const strides = stridesOf(node.shape);
    eachIndex(x!.shape, (index, flat) => {
      out.data[index.reduce((at, i, a) => at + (i + (before[a] as number)) * (strides[a] as number), 0)] =
        x!.data[flat]!;
    });
    return out;
  },
});
/** Zeros before and after each axis. */
export const pad = (x: Tensor, before: readonly number[], after: readonly number[]): Tensor =>
  [...before, ...after].every((p) => p === 0) ? x : apply('Pad', [x], { before, after });
