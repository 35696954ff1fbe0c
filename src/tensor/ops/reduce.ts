/**
 * Sums, means and maxima over axes, and softmax.
 */
import { floatDtype } from '../check.ts';
import { eachIndex, ndarray } from '../ndarray.ts';
import { defineOp } from '../op.ts';
import { axisOf, broadcastAxes, dim, type Shape, sameShape, sizeOf, stridesOf } from '../shape.ts';
import { type Attributes, apply, type Tensor } from '../tensor.ts';
import { cast, div, equal, mul, sub } from './elementwise.ts';
import { expand, reshape } from './shape.ts';

const axesOf = (attributes: Attributes): readonly number[] => attributes.axes as readonly number[];

function reducedShape(shape: Shape, axes: readonly number[], keep: boolean): number[] {
  const out: number[] = [];
  shape.forEach((d, i) => {
    if (!axes.includes(i)) out.push(d);
    else if (keep) out.push(1);
  });
  return out;
}

type ReduceRule = {
  start: number;
  fold: (sum: number, x: number) => number;
  finish?: (sum: number, count: number) => number;
  gradient: (node: Tensor, dy: Tensor, x: Tensor, count: number) => Tensor;
};

function defineReduce(name: string, rule: ReduceRule): (x: Tensor, axes?: readonly number[], keep?: boolean) => Tensor {
  defineOp({
    name,
    infer: ([x], attributes) => ({
      shape: reducedShape(x!.shape, axesOf(attributes), attributes.keep as boolean),
      dtype: x!.dtype,
    }),
    gradient(node, dy) {
      const x = node.inputs[0]!;
      const axes = axesOf(node.attributes);
      const kept = reducedShape(x.shape, axes, true);
      const count = axes.reduce((n, a) => n * (x.shape[a] as number), 1);
      return [rule.gradient(reshape(node, kept), expand(reshape(dy, kept), x.shape), x, count)];
    },
    onnx: (node) => ({
      type: name,
      inputs: [node.inputs[0]!, { int64: axesOf(node.attributes) }],
      attributes: { keepdims: node.attributes.keep ? 1 : 0 },
    }),
    reference([x], node) {
      const axes = axesOf(node.attributes);
      const kept = reducedShape(x!.shape, axes, true);
      const strides = stridesOf(kept).map((s, i) => (kept[i] === 1 ? 0 : s));
      const out = ndarray(node.shape, node.dtype);
      out.data.fill(rule.start);
      eachIndex(x!.shape, (index, flat) => {
        const at = index.reduce((sum, i, axis) => sum + i * (strides[axis] as number), 0);
        out.data[at] = rule.fold(out.data[at] as number, x!.data[flat] as number);
      });
      const count = axes.reduce((n, a) => n * (x!.shape[a] as number), 1);
      return rule.finish ? { ...out, data: out.data.map((v) => rule.finish!(v, count)) } : out;
    },
    flops: (node) => sizeOf(node.inputs[0]!.shape),
  });
  return (x, axes = x.shape.map((_, i) => i), keep = false) => {
    const unique = [...new Set(axes.map((a) => axisOf(name, a, x.shape.length)))].sort((a, b) => a - b);
    return unique.length === 0 ? x : apply(name, [x], { axes: unique, keep });
  };
}

/** Sum over `axes` (all unless given); `keep` leaves them with size 1. */
export const sum = defineReduce('ReduceSum', { start: 0, fold: (s, x) => s + x, gradient: (_, dy) => dy });
export const mean = defineReduce('ReduceMean', {
  start: 0,
  fold: (s, x) => s + x,
  finish: (s, n) => s / n,
  gradient: (_, dy, __, count) => div(dy, count),
});
/** Every element that equals the maximum gets the whole gradient. */
export const max = defineReduce('ReduceMax', {
  start: Number.NEGATIVE_INFINITY,
  fold: Math.max,
  gradient: (node, dy, x) => mul(dy, cast(equal(x, node), 'float32')),
});

/** Undoes a broadcast: sums `x` down to `shape`. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  return reshape(sum(x, broadcastAxes(x.shape, shape), true), shape);
}

defineOp({
  name: 'Softmax',
  infer: ([x], attributes) => {
    axisOf('Softmax', attributes.axis as number, x!.shape.length);
    return { shape: x!.shape, dtype: floatDtype('Softmax', [x!]) };
  },
  gradient(node, dy) {
    const axis = node.attributes.axis as number;
    return [mul(node, sub(dy, sum(mul(dy, node), [axis], true)))];
  },
  onnx: (node) => ({ type: 'Softmax', inputs: node.inputs, attributes: { axis: node.attributes.axis as number } }),
  reference([x], node) {
    const axis = node.attributes.axis as number;
    const out = ndarray(node.shape, node.dtype);
    const size = dim(node.shape, axis);
    const stride = stridesOf(node.shape)[axis] as number;
    for (let start = 0; start < out.data.length; start++) {
      if (Math.floor(start / stride) % size !== 0) continue;
      let top = Number.NEGATIVE_INFINITY;
      for (let k = 0; k < size; k++) top = Math.max(top, x!.data[start + k * stride] as number);
      let total = 0;
      for (let k = 0; k < size; k++) total += Math.exp((x!.data[start + k * stride] as number) - top);
      for (let k = 0; k < size; k++)
        out.data[start + k * stride] = Math.exp((x!.data[start + k * stride] as number) - top) / total;
    }
    return out;
  },
  flops: (node) => 5 * sizeOf(node.shape),
});
export const softmax = (x: Tensor, axis = -1): Tensor =>
  apply('Softmax', [x], { axis: axisOf('Softmax', axis, x.shape.length) });
