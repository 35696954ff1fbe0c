/**
 * Reverse-mode gradients by graph rewriting: the backward pass is more graph, made of the same ops.
 * Knows no op; each op's definition gives its own rule.
 */
import { internalError } from '../errors.ts';
import { isFloat } from './dtype.ts';
import { opDefinition } from './op.ts';
import { add } from './ops/elementwise.ts';
import { concat, expand, pad } from './ops/shape.ts';
import { dim } from './shape.ts';
import { isLeaf, reachable, scalar, type Tensor } from './tensor.ts';

/**
 * Gradients of the scalar `loss` with respect to `targets`, in their order; a target that the loss does not reach gets zeros.
 * Throws where a path needs the gradient of an op that has none (a fused form that belongs to inference).
 */
export function grad(loss: Tensor, targets: readonly Tensor[]): Tensor[] {
  if (loss.shape.length !== 0) throw internalError('grad', 'the loss must be a scalar', loss.shape);
  return vjp([{ output: loss, gradient: scalar(1) }], targets);
}

/** Vector-Jacobian products: the gradients of several outputs given, those of `targets` returned. */
export function vjp(seeds: readonly { output: Tensor; gradient: Tensor }[], targets: readonly Tensor[]): Tensor[] {
  const gradients = new Gradients();
  for (const { output, gradient } of seeds) gradients.add(output, gradient);
  backward(reachable(seeds.map((s) => s.output)), new Set(targets), gradients);
  return targets.map((t) => gradients.of(t) ?? zerosLike(t));
}

export const zerosLike = (x: Tensor): Tensor => expand(scalar(0), x.shape);

/** The gradient that has reached each tensor so far. */
export class Gradients {
  readonly #sums = new Map<Tensor, Tensor>();

  add(node: Tensor, dy: Tensor): void {
    const have = this.#sums.get(node);
    this.#sums.set(node, have === undefined ? dy : (joined(have, dy) ?? joined(dy, have) ?? add(have, dy)));
  }

  replace(node: Tensor, dy: Tensor): void {
    this.#sums.set(node, dy);
  }

  of(node: Tensor): Tensor | undefined {
    return this.#sums.get(node);
  }
}

/**
 * Neighbouring ranges of one axis, each padded with zeros to the same size, side by side: what the slices of a tensor give
 * back. Much cheaper than to add the padded ones. Undefined where `second` does not begin where `first` ends.
 */
function joined(first: Tensor, second: Tensor): Tensor | undefined {
  const [a, b] = [paddedRange(first), paddedRange(second)];
  if (a === undefined || b === undefined || a.axis !== b.axis || a.start + a.length !== b.start) return undefined;
  const parts = [a.range, b.range].flatMap((x) => (x.op === 'Concat' && x.attributes.axis === a.axis ? x.inputs : [x]));
  const at = (value: number): number[] => first.shape.map((_, axis) => (axis === a.axis ? value : 0));
  const behind = dim(first.shape, a.axis) - b.start - b.length;
  return pad(concat(parts, a.axis), at(a.start), at(behind));
}

/** What a node pads along a single axis, and where it then lies. */
function paddedRange(node: Tensor): { range: Tensor; axis: number; start: number; length: number } | undefined {
  if (node.op !== 'Pad') return undefined;
  const range = node.inputs[0] as Tensor;
  const axes = node.shape.flatMap((size, axis) => (size === range.shape[axis] ? [] : [axis]));
  const [axis] = axes;
  if (axis === undefined || axes.length > 1) return undefined;
  const before = node.attributes.before as readonly number[];
  return { range, axis, start: before[axis] as number, length: dim(range.shape, axis) };
}

/**
 * Carries what `gradients` holds back through `nodes`, which are in topological order, to whatever leads to `wanted`;
 * inputs of `nodes` that are not among them are where it stops.
 */
export function backward(nodes: readonly Tensor[], wanted: ReadonlySet<Tensor>, gradients: Gradients): void {
  const leads = new Set(wanted);
  for (const node of nodes) if (node.inputs.some((x) => leads.has(x))) leads.add(node);
  for (const node of [...nodes].reverse()) {
    const dy = gradients.of(node);
    if (dy === undefined || isLeaf(node) || !node.inputs.some((x) => leads.has(x))) continue;
    const { gradient } = opDefinition(node.op);
    if (gradient === undefined) {
      if (node.inputs.some((x) => leads.has(x) && isFloat(x.dtype)))
        throw internalError('grad', 'every op on the path must be differentiable', node.op);
      continue;
    }
    const inputGradients = gradient(node, dy);
    node.inputs.forEach((x, i) => {
      const dx = inputGradients[i];
      if (dx !== undefined && leads.has(x)) gradients.add(x, dx);
    });
  }
}
