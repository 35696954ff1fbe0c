/**
 * States every invariant of a graph. Tests run it after each rewrite; it is cheap enough to run on any graph.
 */
import { internalError } from '../errors.ts';
import { opDefinition } from './op.ts';
import { sameShape, sizeOf } from './shape.ts';
import { constantOf, isLeaf, nameOf, reachable, type Tensor } from './tensor.ts';

/**
 * Throws unless: inputs precede users; each node's shape and dtype are what its op infers; constants fill their shape;
 * a name stands for one leaf of one shape and dtype.
 */
export function verify(outputs: readonly Tensor[]): void {
  const named = new Map<string, Tensor>();
  for (const node of reachable(outputs)) {
    for (const x of node.inputs)
      if (x.id >= node.id) throw internalError('verify', `inputs of ${node.op} ${node.id} must precede it`, x.id);
    if (!isLeaf(node)) {
      const { shape, dtype } = opDefinition(node.op).infer(node.inputs, node.attributes);
      if (!sameShape(shape, node.shape) || dtype !== node.dtype)
        throw internalError(
          'verify',
          `${node.op} must be ${dtype}[${shape.join(', ')}]`,
          `${node.dtype}[${node.shape.join(', ')}]`,
        );
      continue;
    }
    if (node.inputs.length > 0) throw internalError('verify', 'a leaf has no inputs', node.op);
    if (node.op === 'Constant') {
      if (constantOf(node).length !== sizeOf(node.shape))
        throw internalError('verify', 'a constant must fill its shape', node.shape);
      continue;
    }
    const other = named.get(nameOf(node));
    if (
      other !== undefined &&
      (!sameShape(other.shape, node.shape) || other.dtype !== node.dtype || other.op !== node.op)
    )
      throw internalError('verify', 'a name must stand for one leaf', nameOf(node));
    named.set(nameOf(node), node);
  }
}
