/**
 * Meaning-preserving passes over a graph: sharing of equal nodes, folding of small constants, simplification.
 * Dead nodes need no pass: a graph is only what its outputs reach.
 */
import { allocate } from './dtype.ts';
import { evaluate } from './reference.ts';
import { sizeOf } from './shape.ts';
import { constant, constantOf, isLeaf, reachable, type Tensor, withInputs } from './tensor.ts';

/** Rebuilds `outputs` with every node passed through `replace`, which sees inputs already rebuilt. */
function rebuild(outputs: readonly Tensor[], replace: (node: Tensor) => Tensor): Tensor[] {
  const done = new Map<Tensor, Tensor>();
  for (const node of reachable(outputs)) {
    const inputs = node.inputs.map((x) => done.get(x) as Tensor);
    const changed = inputs.some((x, i) => x !== node.inputs[i]);
    done.set(node, replace(changed ? withInputs(node, inputs) : node));
  }
  return outputs.map((x) => done.get(x) as Tensor);
}

/** One node for all that have the same op, inputs and attributes; scalars and small constants are shared by value. */
export function share(outputs: readonly Tensor[]): Tensor[] {
  const seen = new Map<string, Tensor>();
  return rebuild(outputs, (node) => {
    const key = keyOf(node);
    if (key === undefined) return node;
    const first = seen.get(key);
    if (first !== undefined) return first;
    seen.set(key, node);
    return node;
  });
}

function keyOf(node: Tensor): string | undefined {
  if (node.op === 'Constant') {
    const data = constantOf(node);
    return data.length > 64
      ? undefined
      : `Constant ${node.dtype} ${node.shape.join()} ${Array.from(data as Float32Array, (v) => (Object.is(v, -0) ? '-0' : String(v))).join()}`;
  }
  return `${node.op} ${node.dtype} ${node.shape.join()} ${node.inputs.map((x) => x.id).join()} ${JSON.stringify(node.attributes)}`;
}

/** Computes nodes whose inputs are all constants, unless the result is large. */
export function fold(outputs: readonly Tensor[]): Tensor[] {
  return rebuild(outputs, (node) => {
    if (isLeaf(node) || !node.inputs.every((x) => x.op === 'Constant')) return node;
    if (node.dtype !== 'float32' && node.dtype !== 'int32') return node;
    if (sizeOf(node.shape) > FOLD_LIMIT || node.inputs.some((x) => sizeOf(x.shape) > FOLD_LIMIT)) return node;
    const value = evaluate([node], new Map())[0]!;
    const data = allocate(node.dtype, value.data.length) as Float32Array;
    data.set(value.data);
    return constant(data, node.shape, node.dtype);
  });
}

/** Larger ones are left to the device, whose arithmetic is faster than the reference's. */
const FOLD_LIMIT = 4096;

/** All passes, in the order that leaves least. */
export const optimize = (outputs: readonly Tensor[]): Tensor[] => share(fold(share(outputs)));
