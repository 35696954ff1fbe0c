/**
 * A tensor is a handle on a graph node: op, inputs, attributes, static shape and dtype. Pure data, never a value.
 * A graph is whatever its outputs reach; there is no graph object to keep in step.
 */
import { internalError } from '../errors.ts';
import type { DType, TypedArray } from './dtype.ts';
import { opDefinition } from './op.ts';
import { type Shape, sizeOf } from './shape.ts';

export type AttributeValue = number | string | boolean | readonly number[] | Constant;
export type Attributes = Readonly<Record<string, AttributeValue>>;
/** Data of a constant node; never changed once in a graph. */
export type Constant = { readonly constant: TypedArray };

export type Tensor = {
  /** Creation order; a node's inputs always have smaller ids, so sorting by id is a topological order. */
  readonly id: number;
  readonly op: string;
  readonly inputs: readonly Tensor[];
  readonly attributes: Attributes;
  readonly shape: Shape;
  readonly dtype: DType;
};

/** What enters a graph from outside, or is data: these have no definition, no gradient and no ONNX node. */
export const LEAVES = ['Input', 'Parameter', 'Constant'] as const;

let nextId = 0;

/** Leaf nodes are made here; every other node through `apply`. */
function leaf(op: (typeof LEAVES)[number], shape: Shape, dtype: DType, attributes: Attributes): Tensor {
  if (!shape.every((d) => Number.isInteger(d) && d >= 0))
    throw internalError(op, 'dimensions must be whole and not negative', shape);
  return { id: nextId++, op, inputs: [], attributes, shape: [...shape], dtype };
}

/** Fed on every run under `name`. */
export const input = (name: string, shape: Shape, dtype: DType = 'float32'): Tensor =>
  leaf('Input', shape, dtype, { name });

/** A weight; `name` is its name in the checkpoint. A plan decides whether it is bound at compile time or fed. */
export const parameter = (name: string, shape: Shape, dtype: DType = 'float32'): Tensor =>
  leaf('Parameter', shape, dtype, { name });

export function constant(data: TypedArray, shape: Shape, dtype: DType = 'float32'): Tensor {
  if (data.length !== sizeOf(shape))
    throw internalError('constant', `data must fill shape [${shape.join(', ')}]`, data.length);
  return leaf('Constant', shape, dtype, { value: { constant: data } });
}

export const scalar = (value: number): Tensor => constant(Float32Array.of(value), []);

export const nameOf = (tensor: Tensor): string => tensor.attributes.name as string;

export const constantOf = (tensor: Tensor): TypedArray => (tensor.attributes.value as Constant).constant;

/** Applies an op by its ONNX name: checks its inputs by the op's shape rule and returns the new node. */
export function apply(op: string, inputs: readonly Tensor[], attributes: Attributes = {}): Tensor {
  const { shape, dtype } = opDefinition(op).infer(inputs, attributes);
  return { id: nextId++, op, inputs, attributes, shape, dtype };
}

/** The same node over other inputs of the same shapes; renumbered, so that inputs still precede it. */
export const withInputs = (node: Tensor, inputs: readonly Tensor[]): Tensor => ({ ...node, id: nextId++, inputs });

export const isLeaf = (tensor: Tensor): boolean => (LEAVES as readonly string[]).includes(tensor.op);

/** Every node that `outputs` reach, inputs before users. */
export function reachable(outputs: readonly Tensor[]): Tensor[] {
  const seen = new Set<Tensor>();
  const stack = [...outputs];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    stack.push(...node.inputs);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}
