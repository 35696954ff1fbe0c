/**
 * Element-wise ops with broadcasting: arithmetic, comparison, selection and the smooth functions.
 * Knows nothing of layers; `gelu`, `silu` and the like that need fusing stand in activation.ts.
 */
import { internalError } from '../../errors.ts';
import { floatDtype, oneDtype } from '../check.ts';
import { type DType, isFloat } from '../dtype.ts';
import { broadcastReader, erfValue, generate } from '../ndarray.ts';
import { defineOp } from '../op.ts';
import { broadcast, sizeOf } from '../shape.ts';
import { apply, scalar, type Tensor } from '../tensor.ts';
import { sumTo } from './reduce.ts';

type Operand = Tensor | number;
const asTensor = (x: Operand): Tensor => (typeof x === 'number' ? scalar(x) : x);

type BinaryRule = {
  value: (a: number, b: number) => number;
  result?: DType;
  gradient?: (node: Tensor, dy: Tensor, a: Tensor, b: Tensor) => [Tensor | undefined, Tensor | undefined];
};

function defineBinary(name: string, rule: BinaryRule): (a: Operand, b: Operand) => Tensor {
  const { gradient } = rule;
  defineOp({
    name,
    infer([a, b]) {
      const dtype = oneDtype(name, [a!, b!]);
      if (dtype === 'bool') throw internalError(name, 'operands must be numbers', dtype);
      return { shape: broadcast(name, a!.shape, b!.shape), dtype: rule.result ?? dtype };
    },
    ...(gradient && {
      gradient(node, dy) {
        const [a, b] = node.inputs as [Tensor, Tensor];
        const [da, db] = gradient(node, dy, a, b);
        return [da && sumTo(da, a.shape), db && sumTo(db, b.shape)];
      },
    }),
    onnx: (node) => ({ type: name, inputs: node.inputs }),
    reference([a, b], node) {
      const [ra, rb] = [broadcastReader(a!, node.shape), broadcastReader(b!, node.shape)];
      return generate(node.shape, node.dtype, (i) => rule.value(ra(i), rb(i)));
    },
    flops: (node) => sizeOf(node.shape),
  });
  return (a, b) => apply(name, [asTensor(a), asTensor(b)]);
}

type UnaryRule = {
  value: (x: number) => number;
  gradient: (node: Tensor, dy: Tensor, x: Tensor) => Tensor | undefined;
};

function defineUnary(name: string, rule: UnaryRule): (x: Tensor) => Tensor {
  const { gradient } = rule;
  defineOp({
    name,
    infer: ([x]) => ({ shape: x!.shape, dtype: floatDtype(name, [x!]) }),
    gradient: (node, dy) => [gradient(node, dy, node.inputs[0]!)],
    onnx: (node) => ({ type: name, inputs: node.inputs }),
    reference: ([x], node) => ({ shape: node.shape, dtype: node.dtype, data: x!.data.map(rule.value) }),
    flops: (node) => sizeOf(node.shape),
  });
  return (x) => apply(name, [x]);
}

export const add = defineBinary('Add', { value: (a, b) => a + b, gradient: (_, dy) => [dy, dy] });
export const sub = defineBinary('Sub', { value: (a, b) => a - b, gradient: (_, dy) => [dy, neg(dy)] });
export const mul = defineBinary('Mul', {
  value: (a, b) => a * b,
  gradient: (_, dy, a, b) => [mul(dy, b), mul(dy, a)],
});
export const div = defineBinary('Div', {
  value: (a, b) => a / b,
  gradient: (node, dy, _, b) => [div(dy, b), neg(mul(dy, div(node, b)))],
});
/** Ties send the whole gradient to `b`. */
export const maximum = defineBinary('Max', {
  value: Math.max,
  gradient: (_, dy, a, b) => {
    const first = cast(greater(a, b), 'float32');
    return [mul(dy, first), mul(dy, sub(1, first))];
  },
});
/** Ties send the whole gradient to `b`. */
export const minimum = defineBinary('Min', {
  value: Math.min,
  gradient: (_, dy, a, b) => {
    const first = cast(less(a, b), 'float32');
    return [mul(dy, first), mul(dy, sub(1, first))];
  },
});
export const greater = defineBinary('Greater', { value: (a, b) => Number(a > b), result: 'bool' });
export const less = defineBinary('Less', { value: (a, b) => Number(a < b), result: 'bool' });
export const equal = defineBinary('Equal', { value: (a, b) => Number(a === b), result: 'bool' });

export const neg = defineUnary('Neg', { value: (x) => -x, gradient: (_, dy) => neg(dy) });
export const exp = defineUnary('Exp', { value: Math.exp, gradient: (node, dy) => mul(dy, node) });
export const log = defineUnary('Log', { value: Math.log, gradient: (_, dy, x) => div(dy, x) });
export const sqrt = defineUnary('Sqrt', { value: Math.sqrt, gradient: (node, dy) => div(mul(dy, 0.5), node) });
export const reciprocal = defineUnary('Reciprocal', {
  value: (x) => 1 / x,
  gradient: (node, dy) => neg(mul(dy, mul(node, node))),
});
export const abs = defineUnary('Abs', { value: Math.abs, gradient: (_, dy, x) => mul(dy, sign(x)) });
export const sign = defineUnary('Sign', { value: Math.sign, gradient: () => undefined });
export const sin = defineUnary('Sin', { value: Math.sin, gradient: (_, dy, x) => mul(dy, cos(x)) });
export const cos = defineUnary('Cos', { value: Math.cos, gradient: (_, dy, x) => neg(mul(dy, sin(x))) });
export const tanh = defineUnary('Tanh', {
  value: Math.tanh,
  gradient: (node, dy) => mul(dy, sub(1, mul(node, node))),
});
export const sigmoid = defineUnary('Sigmoid', {
  value: (x) => 1 / (1 + Math.exp(-x)),
  gradient: (node, dy) => mul(dy, mul(node, sub(1, node))),
});

/** Derivative 2/sqrt(pi) exp(-x^2). */
export const erf = defineUnary('Erf', {
  value: erfValue,
  gradient: (_, dy, x) => mul(dy, mul(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI))),
});

defineOp({
  name: 'Cast',
  infer: ([x], attributes) => ({ shape: x!.shape, dtype: attributes.to as DType }),
  // Whole numbers and bools carry no gradient.
  gradient: (node, dy) => [
    isFloat(node.inputs[0]!.dtype) && isFloat(node.dtype) ? cast(dy, node.inputs[0]!.dtype) : undefined,
  ],
  onnx: (node) => ({ type: 'Cast', inputs: node.inputs, attributes: { to: node.attributes.to as string } }),
  reference: ([x], node) => ({
    shape: node.shape,
    dtype: node.dtype,
    data: node.dtype.startsWith('int') ? x!.data.map(Math.trunc) : x!.data,
  }),
});
/** Bool to float gives 0 and 1. */
export const cast = (x: Tensor, to: DType): Tensor => (x.dtype === to ? x : apply('Cast', [x], { to }));

defineOp({
  name: 'Where',
  infer([condition, a, b]) {
    if (condition!.dtype !== 'bool') throw internalError('Where', 'the condition must be bool', condition!.dtype);
    const shape = broadcast('Where', condition!.shape, broadcast('Where', a!.shape, b!.shape));
    return { shape, dtype: oneDtype('Where', [a!, b!]) };
  },
  gradient(node, dy) {
    const [condition, a, b] = node.inputs as [Tensor, Tensor, Tensor];
    return [
      undefined,
      sumTo(where(condition, dy, scalar(0)), a.shape),
      sumTo(where(condition, scalar(0), dy), b.shape),
    ];
  },
  onnx: (node) => ({ type: 'Where', inputs: node.inputs }),
  reference([condition, a, b], node) {
    const rc = broadcastReader(condition!, node.shape);
    const [ra, rb] = [broadcastReader(a!, node.shape), broadcastReader(b!, node.shape)];
    return generate(node.shape, node.dtype, (i) => (rc(i) ? ra(i) : rb(i)));
  },
});
export const where = (condition: Tensor, a: Tensor, b: Tensor): Tensor => apply('Where', [condition, a, b]);

/** x limited to [low, high]; no gradient outside. */
export const clamp = (x: Tensor, low: number, high: number): Tensor => minimum(maximum(x, low), high);
export const square = (x: Tensor): Tensor => mul(x, x);
