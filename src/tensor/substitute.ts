/**
 * Cuts a graph open: the same outputs computed from other tensors in place of some inside.
 * Knows nothing of what the graph computes.
 */
import { internalError } from '../errors.ts';
import { sameShape } from './shape.ts';
import { reachable, type Tensor, withInputs } from './tensor.ts';

/**
 * `outputs` with every use of a key of `replacements` reading its value instead, which has the same shape and dtype.
 * @throws internal error where shapes differ.
 */
export function substitute(outputs: readonly Tensor[], replacements: ReadonlyMap<Tensor, Tensor>): Tensor[] {
  for (const [from, to] of replacements)
    if (!sameShape(from.shape, to.shape) || from.dtype !== to.dtype)
      throw internalError(
        'substitute',
        `a tensor must be replaced by ${from.dtype}[${from.shape.join(', ')}]`,
        to.shape,
      );
  const done = new Map(replacements);
  for (const node of reachable(outputs)) {
    if (done.has(node)) continue;
    const inputs = node.inputs.map((x) => done.get(x) as Tensor);
    done.set(node, inputs.some((x, i) => x !== node.inputs[i]) ? withInputs(node, inputs) : node);
  }
  return outputs.map((x) => done.get(x) as Tensor);
}
