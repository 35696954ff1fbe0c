/**
 * Products with quantized weights, for inference only: int4 in blocks along a row, int8 with one scale a row.
 *
 * Why two forms, measured on one AVX2 core of onnxruntime 1.30 at 384 and 3,162 rows (processor time against fp32 MatMul):
 * MatMulNBits runs 4 bits at 1.0-1.1x and equals its dequantized weights to 5e-7; `accuracy_level` 4 (int8 arithmetic) is no
 * faster and adds 6e-3. In 8 bits it runs at 0.7-0.9x, whereas an int8 product runs at 1.4-1.5x. That product takes uint8 on
 * both sides: uint8 x int8 runs at 1.9x, but adds pairs in 16 bits on processors without VNNI and saturates (a result was wrong
 * by 96 %). Activations get a scale for each row, not one for the whole tensor as DynamicQuantizeLinear has it, so that a
 * sample's result does not depend on its batch.
 *
 * WebGPU runs MatMulNBits itself and hands the int8 product to the CPU.
 */
import { internalError } from '../../errors.ts';
import { shapesText } from '../check.ts';
import { ndarray } from '../ndarray.ts';
import { defineOp } from '../op.ts';
import { type QuantizedForm, quantizedShapes } from '../quantized-form.ts';
import { dim, sameShape, sizeOf } from '../shape.ts';
import { apply, constant, type Tensor } from '../tensor.ts';
import { abs, maximum, mul } from './elementwise.ts';
import { max } from './reduce.ts';
import { reshape } from './shape.ts';

/** Codes of int8 are whole numbers from -127 to 127 with this added. */
const ZERO = 128;
/** Of int4: -8 to 7. */
const ZERO_4 = 8;
/** A row of zeros has some scale too. */
const SMALLEST = 1e-30;

defineOp({
  name: 'MatMulNBits',
  infer([x, packed, scale], { block }) {
    const [rows, blocks] = scale!.shape as readonly [number, number];
    const columns = dim(x!.shape, -1);
    const shapes = quantizedShapes({ scheme: 'int4', block: block as number }, [rows, columns]);
    if (!sameShape(packed!.shape, shapes.packed) || !sameShape(scale!.shape, shapes.scale))
      throw internalError('MatMulNBits', `blocks must cover ${columns} columns`, shapesText([packed!, scale!]));
    if (x!.dtype !== 'float32' || scale!.dtype !== 'float32' || packed!.dtype !== 'uint8' || blocks === 0)
      throw internalError(
        'MatMulNBits',
        'takes float32, uint8, float32',
        [x, packed, scale].map((t) => t!.dtype),
      );
    return { shape: [...x!.shape.slice(0, -1), rows], dtype: 'float32' };
  },
  onnx: (node) => ({
    type: 'MatMulNBits',
    domain: 'com.microsoft',
    inputs: node.inputs,
    attributes: {
      K: dim(node.inputs[0]!.shape, -1),
      N: dim(node.shape, -1),
      bits: 4,
      block_size: node.attributes.block as number,
    },
  }),
  reference([x, packed, scale], node) {
    const out = ndarray(node.shape, node.dtype);
    const [columns, rows] = [dim(x!.shape, -1), dim(node.shape, -1)];
    const block = node.attributes.block as number;
    const blocks = dim(scale!.shape, 1);
    for (let i = 0; i < out.data.length; i++) {
      const [from, row] = [Math.floor(i / rows) * columns, i % rows];
      let total = 0;
      for (let k = 0; k < columns; k++) {
        const byte = packed!.data[(row * blocks * block + k) >> 1]!;
        const code = ((k & 1) === 0 ? byte & 15 : byte >> 4) - ZERO_4;
        total += x!.data[from + k]! * code * scale!.data[row * blocks + Math.floor(k / block)]!;
      }
      out.data[i] = total;
    }
    return out;
  },
  flops: (node) => 2 * sizeOf(node.shape) * dim(node.inputs[0]!.shape, -1),
});

defineOp({
  name: 'QuantizeLinear',
  infer([x, scale, zero]) {
    const rows = [x!.shape[0]];
    if (x!.shape.length !== 2 || ![scale!, zero!].every(({ shape }) => shape.length === 1 && shape[0] === rows[0]))
      throw internalError('QuantizeLinear', 'needs a scale and a zero for each row', shapesText([x!, scale!, zero!]));
    return { shape: x!.shape, dtype: zero!.dtype };
  },
  onnx: (node) => ({ type: 'QuantizeLinear', inputs: node.inputs, attributes: { axis: 0 } }),
  reference([x, scale, zero], node) {
    const columns = dim(x!.shape, 1);
    const data = x!.data.map((v, i) => {
      const row = Math.floor(i / columns);
      return Math.min(255, Math.max(0, roundHalfEven(v / scale!.data[row]!) + zero!.data[row]!));
    });
    return ndarray(node.shape, node.dtype, data);
  },
});

function roundHalfEven(x: number): number {
  const up = Math.round(x);
  return up - x === 0.5 && up % 2 !== 0 ? up - 1 : up;
}

defineOp({
  name: 'MatMulIntegerToFloat',
  infer([a, b, scale, zero]) {
    const columns = b!.shape[1];
    if (a!.shape.length !== 2 || b!.shape.length !== 2 || a!.shape[1] !== b!.shape[0] || scale!.shape[0] !== columns)
      throw internalError('MatMulIntegerToFloat', 'inner sizes must agree', shapesText([a!, b!, scale!]));
    if ([a!, b!, zero!].some(({ dtype }) => dtype !== 'uint8'))
      throw internalError('MatMulIntegerToFloat', 'operands must be uint8', `${a!.dtype} and ${b!.dtype}`);
    return { shape: [dim(a!.shape, 0), dim(b!.shape, 1)], dtype: 'float32' };
  },
  onnx({ inputs: [a, b, scale, zero] }) {
    return { type: 'MatMulIntegerToFloat', domain: 'com.microsoft', inputs: [a, b, { float: 1 }, scale, zero, zero] };
  },
  reference([a, b, scale, zero], node) {
    const out = ndarray(node.shape, node.dtype);
    const [inner, columns] = b!.shape as readonly [number, number];
    const z = zero!.data[0]!;
    for (let i = 0; i < out.data.length; i++) {
      const [row, column] = [Math.floor(i / columns), i % columns];
      let total = 0;
      for (let k = 0; k < inner; k++) total += (a!.data[row * inner + k]! - z) * (b!.data[k * columns + column]! - z);
      out.data[i] = total * scale!.data[column]!;
    }
    return out;
  },
  flops: (node) => 2 * sizeOf(node.shape) * dim(node.inputs[0]!.shape, 1),
});

/**
 * x [..., in] times the transpose of a quantized weight [out, in] -> [..., out].
 * `packed` (uint8) and `scale` (float32) have the shapes that `quantizedShapes` says.
 */
export function matmulQuantized(x: Tensor, packed: Tensor, scale: Tensor, form: QuantizedForm): Tensor {
  if (form.scheme === 'int4') return apply('MatMulNBits', [x, packed, scale], { block: form.block });
  const lead = x.shape.slice(0, -1);
  const rows = sizeOf(lead);
  const flat = reshape(x, [rows, dim(x.shape, -1)]);
  const step = mul(maximum(max(abs(flat), [1], true), SMALLEST), 1 / 127); //               [rows, 1]
  const zeros = constant(new Uint8Array(rows).fill(ZERO), [rows], 'uint8');
  const codes = apply('QuantizeLinear', [flat, reshape(step, [rows]), zeros]); //           [rows, in]
  const product = apply('MatMulIntegerToFloat', [codes, packed, scale, constant(Uint8Array.of(ZERO), [], 'uint8')]);
  return reshape(mul(product, step), [...lead, dim(product.shape, 1)]);
}
