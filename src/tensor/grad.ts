/**
 * Reverse-mode gradients by graph rewriting: the backward pass is more graph, made of the same ops.
 * Knows no op; each op's definition gives its own rule.
 */
import { internalError } from '../errors.ts';
import { isFloat } from './dtype.ts';
import { opDefinition } from './op.ts';
import { add } from './ops/elementwise.ts';
import { expand } from './ops/shape.ts';
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
  const wanted = new Set(targets);
  const nodes = reachable(seeds.map((s) => s.output));
  const leads = new Set<Tensor>();
  for (const node of nodes) if (wanted.has(node) || node.inputs.some((x) => leads.has(x))) leads.add(node);

  const gradients = new Map<Tensor, Tensor>();
  const accumulate = (node: Tensor, dy: Tensor): void => {
    const have = gradients.get(node);
    gradients.set(node, have === undefined ? dy : add(have, dy));
  };
  for (const seed of seeds) accumulate(seed.output, seed.gradient);

  for (const node of nodes.reverse()) {
    const dy = gradients.get(node);
    if (dy === undefined || isLeaf(node) || !leads.has(node)) continue;
    if (!node.inputs.some((x) => leads.has(x))) continue;
    const { gradient } = opDefinition(node.op);
    if (gradient === undefined) {
      if (node.inputs.some((x) => leads.has(x) && isFloat(x.dtype)))
        throw internalError('grad', 'every op on the path must be differentiable', node.op);
      continue;
    }
    const inputGradients = gradient(node, dy);
    node.inputs.forEach((x, i) => {
      const dx = inputGradients[i];
      if (dx !== undefined && leads.has(x)) accumulate(x, dx);
    });
  }
  return targets.map((t) => gradients.get(t) ?? expand(scalar(0), t.shape));
}
