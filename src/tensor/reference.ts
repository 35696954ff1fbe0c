/**
 * The slow evaluator: runs a graph node by node with each op's own reference, in float64.
 * The judge of every device; never used for work.
 */
import { internalError } from '../errors.ts';
import { type NDArray, ndarray } from './ndarray.ts';
import { opDefinition } from './op.ts';
import { constantOf, isLeaf, nameOf, reachable, type Tensor } from './tensor.ts';

/** Values of `outputs`, given those of inputs and parameters by name. */
export function evaluate(outputs: readonly Tensor[], feeds: ReadonlyMap<string, NDArray>): NDArray[] {
  const values = new Map<Tensor, NDArray>();
  for (const node of reachable(outputs))
    values.set(node, isLeaf(node) ? leafValue(node, feeds) : compute(node, values));
  return outputs.map((x) => values.get(x) as NDArray);
}

function compute(node: Tensor, values: ReadonlyMap<Tensor, NDArray>): NDArray {
  const inputs = node.inputs.map((x) => values.get(x) as NDArray);
  return opDefinition(node.op).reference(inputs, node);
}

function leafValue(node: Tensor, feeds: ReadonlyMap<string, NDArray>): NDArray {
  if (node.op === 'Constant')
    return ndarray(node.shape, node.dtype, Float64Array.from(constantOf(node) as Float32Array, Number));
  const value = feeds.get(nameOf(node));
  if (value === undefined) throw internalError('evaluate', 'every input needs a value', nameOf(node));
  return value;
}
