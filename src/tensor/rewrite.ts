/**
 * Meaning-preserving passes over a graph: sharing of equal nodes and folding of small constants.
 * Dead nodes need no pass: a graph is only what its outputs reach.
 */
import { allocate, type TypedArray } from './dtype.ts';
import { evaluate } from './reference.ts';
import { sizeOf } from './shape.ts';
import { constant, constantOf, isLeaf, reachable, type Tensor, withInputs } from './tensor.ts';

/** Rebuilds `outputs` with every node passed through `replace`, which sees inputs already rebuilt. */
export function rebuild(outputs: readonly Tensor[], replace: (node: Tensor) => Tensor): Tensor[] {
  const done = new Map<Tensor, Tensor>();
  for (const node of reachable(outputs)) {
    const inputs = node.inputs.map((x) => done.get(x) as Tensor);
    const changed = inputs.some((x, i) => x !== node.inputs[i]);
    done.set(node, replace(changed ? withInputs(node, inputs) : node));
  }
  return outputs.map((x) => done.get(x) as Tensor);
}

/** One node for all that have the same op, inputs and attributes; constants are shared by value, large ones by their array. */
export function share(outputs: readonly Tensor[]): Tensor[] {
  const seen = new Map<string, Tensor>();
  const arrays = new Map<TypedArray, number>();
  return rebuild(outputs, (node) => {
    const key = keyOf(node, arrays);
    const first = seen.get(key) ?? node;
    seen.set(key, first);
    return first;
  });
}

/** Equal keys mean equal values; large constants are equal only where they are one array. */
function keyOf(node: Tensor, arrays: Map<TypedArray, number>): string {
  if (node.op === 'Constant') {
    const data = constantOf(node);
    if (data.length > 64 && !arrays.has(data)) arrays.set(data, arrays.size);
    const value = arrays.has(data) ? `#${arrays.get(data)}` : bytesText(data);
    return `Constant ${node.dtype} ${node.shape.join()} ${value}`;
  }
  return `${node.op} ${node.dtype} ${node.shape.join()} ${node.inputs.map((x) => x.id).join()} ${JSON.stringify(node.attributes)}`;
}

const bytesText = (data: TypedArray): string => new Uint8Array(data.buffer, data.byteOffset, data.byteLength).join();

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
