/**
 * Activations that devices have one kernel for.
 */
import { floatDtype } from '../check.ts';
import { erfValue } from '../ndarray.ts';
import { defineOp } from '../op.ts';
import { sizeOf } from '../shape.ts';
import { apply, type Tensor } from '../tensor.ts';
import { add, erf, exp, mul, sigmoid, square, sub, tanh } from './elementwise.ts';

const ROOT_2_OVER_PI = Math.sqrt(2 / Math.PI);

defineOp({
  name: 'Gelu',
  infer: ([x]) => ({ shape: x!.shape, dtype: floatDtype('Gelu', [x!]) }),
  gradient(node, dy) {
    const x = node.inputs[0]!;
    const cube = 0.044715;
    if (node.attributes.approximate === 'tanh') {
      const t = tanh(mul(mul(x, add(mul(square(x), cube), 1)), ROOT_2_OVER_PI));
      const inner = mul(add(mul(square(x), 3 * cube), 1), ROOT_2_OVER_PI);
      const slope = add(mul(add(t, 1), 0.5), mul(mul(mul(x, 0.5), sub(1, square(t))), inner));
      return [mul(dy, slope)];
    }
    const density = mul(exp(mul(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    const below = mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5);
    return [mul(dy, add(below, mul(x, density)))];
  },
  onnx: (node) => ({
    type: 'Gelu',
    inputs: node.inputs,
    attributes: { approximate: node.attributes.approximate as string },
  }),
  reference([x], node) {
    const tanhForm = node.attributes.approximate === 'tanh';
    return {
      shape: node.shape,
      dtype: node.dtype,
      data: x!.data.map((v) =>
        tanhForm
          ? 0.5 * v * (1 + Math.tanh(ROOT_2_OVER_PI * (v + 0.044715 * v ** 3)))
          : 0.5 * v * (1 + erfValue(v * Math.SQRT1_2)),
      ),
    };
  },
  flops: (node) => 8 * sizeOf(node.shape),
});
/** x · Φ(x), with the exact normal distribution or its tanh approximation. */
export const gelu = (x: Tensor, approximate: 'none' | 'tanh'): Tensor => apply('Gelu', [x], { approximate });

defineOp({
  name: 'QuickGelu',
  infer: ([x]) => ({ shape: x!.shape, dtype: floatDtype('QuickGelu', [x!]) }),
  gradient(node, dy) {
    const x = node.inputs[0]!;
    const s = sigmoid(x);
    return [mul(dy, add(s, mul(node, sub(1, s))))];
  },
  onnx: (node) => ({
    type: 'QuickGelu',
    domain: 'com.microsoft',
    inputs: node.inputs,
    attributes: { alpha: { float: 1 } },
  }),
  reference: ([x], node) => ({
    shape: node.shape,
    dtype: node.dtype,
    data: x!.data.map((v) => v / (1 + Math.exp(-v))),
  }),
  flops: (node) => 4 * sizeOf(node.shape),
});
/** x · sigmoid(x). */
export const silu = (x: Tensor): Tensor => apply('QuickGelu', [x]);
