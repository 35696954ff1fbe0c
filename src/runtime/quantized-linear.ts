/**
 * Linear layers over quantized weights: a product with a transposed parameter that the plan stores quantized becomes the
 * quantized product. Models write the one and never see the other; other uses of such a parameter have no form and are refused.
 */
import { internalError } from '../errors.ts';
import type { QuantizedWeight, StoredBytes, WeightPlan } from '../onnx/model.ts';
import { isQuantized } from '../onnx/stored-weight.ts';
import {
  matmulQuantized,
  nameOf,
  parameter,
  quantizedShapes,
  reachable,
  rebuild,
  share,
  type Tensor,
} from '../tensor/index.ts';

/** The graph over the parts of its quantized weights, and the plan that stores them. Unchanged where there are none. */
export function quantizeLinears(
  outputs: readonly Tensor[],
  weights: WeightPlan = () => undefined,
): { readonly outputs: readonly Tensor[]; readonly plan: WeightPlan } {
  const parts = new Map<string, StoredBytes>();
  const quantizedOf = (node: Tensor | undefined): QuantizedWeight | undefined => {
    const stored = node?.op === 'Parameter' ? weights(nameOf(node)) : undefined;
    return stored !== undefined && isQuantized(stored) ? stored : undefined;
  };
  const rebuilt = rebuild(outputs, (node) => {
    const [x, right] = node.inputs;
    if (node.op !== 'MatMul' || x === undefined || right?.op !== 'Transpose') return node;
    const weight = right.inputs[0] as Tensor;
    const stored = quantizedOf(weight);
    if (stored === undefined || weight.shape.length !== 2) return node;
    const shapes = quantizedShapes(stored.form, weight.shape as readonly [number, number]);
    const [packed, scale] = [`${nameOf(weight)}:packed`, `${nameOf(weight)}:scale`];
    parts.set(packed, stored.packed);
    parts.set(scale, stored.scale);
    return matmulQuantized(x, parameter(packed, shapes.packed, 'uint8'), parameter(scale, shapes.scale), stored.form);
  });
  const left = reachable(rebuilt).find((node) => quantizedOf(node) !== undefined);
  if (left !== undefined)
    throw internalError('compile', 'a quantized weight must be the right side of a linear layer', nameOf(left));
  const plan: WeightPlan = (name) => parts.get(name) ?? weights(name);
  // Layers over one input quantize it once.
  return { outputs: parts.size > 0 ? share(rebuilt) : rebuilt, plan };
}
