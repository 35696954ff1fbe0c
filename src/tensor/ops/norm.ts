/**
 * Normalisation over the last axis: LayerNormalization and RMSNormalization, one kernel each in inference and training.
 * Per-group and per-frame forms are made of these by reshaping (nn/norm.ts).
 */
import { internalError } from '../../errors.ts';
import { floatDtype } from '../check.ts';
import type { DType } from '../dtype.ts';
import { type NDArray, ndarray } from '../ndarray.ts';
import { defineOp } from '../op.ts';
import { dim, type Shape, sizeOf } from '../shape.ts';
import { type Attributes, apply, type Tensor } from '../tensor.ts';
import { add, div, mul, sqrt, square, sub } from './elementwise.ts';
import { mean, sumTo } from './reduce.ts';

const epsilonOf = (attributes: Attributes): number => attributes.epsilon as number;

/** The result's shape and dtype: those of x. */
function inferNorm(
  op: string,
  [x, ...vectors]: readonly Tensor[],
  attributes: Attributes,
): { shape: Shape; dtype: DType } {
  if (x === undefined || x.shape.length === 0) throw internalError(op, 'input must have an axis', x?.shape);
  if (!(epsilonOf(attributes) > 0)) throw internalError(op, 'epsilon must be positive', epsilonOf(attributes));
  for (const v of vectors)
    if (v.shape.length !== 1 || dim(v.shape, 0) !== dim(x.shape, -1))
      throw internalError(op, `scale and bias must be [${dim(x.shape, -1)}]`, v.shape);
  return { shape: x.shape, dtype: floatDtype(op, [x, ...vectors]) };
}

/** Calls `row` with the values of each row of the last axis and the flat index of its first. */
function eachRow(x: NDArray, row: (values: Float64Array, start: number) => void): void {
  const width = dim(x.shape, -1);
  for (let start = 0; start < x.data.length; start += width) row(x.data.subarray(start, start + width), start);
}

function moments(values: Float64Array, epsilon: number): { center: number; invDeviation: number } {
  const center = values.reduce((s, v) => s + v, 0) / values.length;
  const variance = values.reduce((s, v) => s + (v - center) ** 2, 0) / values.length;
  return { center, invDeviation: 1 / Math.sqrt(variance + epsilon) };
}

/** The statistics are further outputs of the same ONNX node; the backward pass reads them instead of computing them again. */
for (const [name, output, pick] of [
  ['LayerNormalizationMean', 1, 'center'],
  ['LayerNormalizationInvStdDev', 2, 'invDeviation'],
] as const)
  defineOp({
    name,
    infer(inputs, attributes) {
      const { shape } = inferNorm(name, inputs, attributes);
      return { shape: [...shape.slice(0, -1), 1], dtype: 'float32' };
    },
    onnx: (node) => ({ ...layerNormForm(node), output }),
    reference([x], node) {
      const out: number[] = [];
      eachRow(x!, (values) => out.push(moments(values, epsilonOf(node.attributes))[pick]));
      return { shape: node.shape, dtype: node.dtype, data: Float64Array.from(out) };
    },
  });

const layerNormForm = (node: Tensor) => ({
  type: 'LayerNormalization',
  inputs: node.inputs,
  attributes: { axis: -1, epsilon: { float: epsilonOf(node.attributes) } },
});

defineOp({
  name: 'LayerNormalization',
  infer: (inputs, attributes) => inferNorm('LayerNormalization', inputs, attributes),
  gradient(node, dy) {
    const [x, scale, bias] = node.inputs as [Tensor, Tensor, Tensor | undefined];
    const center = apply('LayerNormalizationMean', node.inputs, node.attributes);
    const invDeviation = apply('LayerNormalizationInvStdDev', node.inputs, node.attributes);
    const unit = mul(sub(x, center), invDeviation);
    const g = mul(dy, scale);
    const along = mean(mul(g, unit), [-1], true);
    const dx = mul(sub(sub(g, mean(g, [-1], true)), mul(unit, along)), invDeviation);
    const gradients = [dx, sumTo(mul(dy, unit), scale.shape)];
    return bias === undefined ? gradients : [...gradients, sumTo(dy, bias.shape)];
  },
  onnx: layerNormForm,
  reference([x, scale, bias], node) {
    const out = ndarray(node.shape, node.dtype);
    eachRow(x!, (values, start) => {
      const { center, invDeviation } = moments(values, epsilonOf(node.attributes));
      values.forEach((v, i) => {
        out.data[start + i] = (v - center) * invDeviation * scale!.data[i]! + (bias?.data[i] ?? 0);
      });
    });
    return out;
  },
  flops: (node) => 8 * sizeOf(node.shape),
});
/** (x - mean) / sqrt(variance + epsilon) · scale + bias over the last axis; scale and bias [last]. */
export const layerNorm = (x: Tensor, scale: Tensor, bias: Tensor | undefined, epsilon: number): Tensor =>
  apply('LayerNormalization', bias === undefined ? [x, scale] : [x, scale, bias], { epsilon });

defineOp({
  name: 'RMSNormalization',
  infer: (inputs, attributes) => inferNorm('RMSNormalization', inputs, attributes),
  gradient(node, dy) {
    const [x, scale] = node.inputs as [Tensor, Tensor];
    const invDeviation = div(1, sqrt(add(mean(square(x), [-1], true), epsilonOf(node.attributes))));
    const unit = mul(x, invDeviation);
    const g = mul(dy, scale);
    const dx = mul(sub(g, mul(unit, mean(mul(g, unit), [-1], true))), invDeviation);
    return [dx, sumTo(mul(dy, unit), scale.shape)];
  },
  // The standard op of opset 23 has no CPU kernel of its own; this is the name under which the runtime has had it for long.
  onnx: (node) => ({
    type: 'SimplifiedLayerNormalization',
    inputs: node.inputs,
    attributes: { axis: -1, epsilon: { float: epsilonOf(node.attributes) } },
  }),
  reference([x, scale], node) {
    const out = ndarray(node.shape, node.dtype);
    eachRow(x!, (values, start) => {
      const power = values.reduce((s, v) => s + v * v, 0) / values.length;
      values.forEach((v, i) => {
        out.data[start + i] = (v / Math.sqrt(power + epsilonOf(node.attributes))) * scale!.data[i]!;
      });
    });
    return out;
  },
  flops: (node) => 4 * sizeOf(node.shape),
});
/** x / sqrt(mean(x²) + epsilon) · scale over the last axis; scale [last]. */
export const rmsNorm = (x: Tensor, scale: Tensor, epsilon: number): Tensor =>
  apply('RMSNormalization', [x, scale], { epsilon });
