/**
 * What an op declares, in one place: shape rule, gradient, ONNX form, slow reference, cost.
 * Shared passes ask the definition and never switch on op names.
 */
import { internalError } from '../errors.ts';
import type { DType } from './dtype.ts';
import type { NDArray } from './ndarray.ts';
import type { Shape } from './shape.ts';
import type { Attributes, Tensor } from './tensor.ts';

/** An operand of an ONNX node: a graph tensor, a small int64 vector or a float scalar that ONNX wants as an input, or an absent optional input. */
export type OnnxOperand = Tensor | { readonly int64: readonly number[] } | { readonly float: number } | undefined;

export type OnnxForm = {
  readonly type: string;
  readonly domain?: 'com.microsoft';
  readonly inputs: readonly OnnxOperand[];
  readonly attributes?: Readonly<Record<string, number | string | readonly number[] | { readonly float: number }>>;
  /** Which output of the ONNX node this tensor is (0 unless said); tensors of equal inputs and attributes share one node. */
  readonly output?: number;
};

export type OpDefinition = {
  readonly name: string;
  /** Shape and dtype of the result; throws where inputs break the op's rule. */
  readonly infer: (inputs: readonly Tensor[], attributes: Attributes) => { shape: Shape; dtype: DType };
  /** Gradients for each input given that of the output; undefined where none flows. Absent: not differentiable. */
  readonly gradient?: (node: Tensor, dy: Tensor) => readonly (Tensor | undefined)[];
  readonly onnx: (node: Tensor) => OnnxForm;
  readonly reference: (inputs: readonly NDArray[], node: Tensor) => NDArray;
  /** Multiply-adds count two; only ops that matter say so. */
  readonly flops?: (node: Tensor) => number;
};

const definitions = new Map<string, OpDefinition>();

export function defineOp(definition: OpDefinition): OpDefinition {
  if (definitions.has(definition.name)) throw internalError('defineOp', 'an op is defined once', definition.name);
  definitions.set(definition.name, definition);
  return definition;
}

export function opDefinition(name: string): OpDefinition {
  const definition = definitions.get(name);
  if (definition === undefined) throw internalError('op', 'must be defined', name);
  return definition;
}

export const definedOps = (): readonly OpDefinition[] => [...definitions.values()];
