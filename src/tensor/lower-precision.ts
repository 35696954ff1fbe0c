/**
 * Runs matrix products, convolutions and attention of a float32 graph in 16 bits and leaves everything else as it is:
 * norms, softmax outside attention, sums and the residual stream keep float32. Decides nothing about devices.
 */
import type { DType } from './dtype.ts';
import { cast, maximum } from './ops/elementwise.ts';
import { rebuild } from './rewrite.ts';
import { apply, nameOf, parameter, reachable, type Tensor } from './tensor.ts';

const LOWERED: ReadonlySet<string> = new Set(['MatMul', 'Conv', 'Attention']);

/** A mask of -1e9 would become minus infinity, and a row of only those not a number. */
const LEAST_FLOAT16 = -65504;

/**
 * `outputs` keep their dtype. Parameters that `isStored` and that only lowered ops read become parameters of `dtype`, so
 * that weights stored in it are taken as they are; others are cast where they are used, as fed values are.
 */
export function lowerPrecision(
  outputs: readonly Tensor[],
  dtype: 'float16' | 'bfloat16',
  isStored: (name: string) => boolean,
): Tensor[] {
  const kept = new Set<string>();
  for (const node of [...reachable(outputs), { op: 'outputs', inputs: outputs, dtype: 'float32' as DType }])
    for (const x of node.inputs) if (x.op === 'Parameter' && !isLowered(node)) kept.add(nameOf(x));

  const lowered = (x: Tensor): Tensor => {
    if (x.dtype !== 'float32') return x;
    if (x.op === 'Parameter' && isStored(nameOf(x)) && !kept.has(nameOf(x)))
      return parameter(nameOf(x), x.shape, dtype);
    // What another lowered op gave was of this dtype: widening and narrowing again changes nothing.
    if (x.op === 'Cast' && x.inputs[0]!.dtype === dtype) return x.inputs[0]!;
    return cast(x, dtype);
  };
  return rebuild(outputs, (node) => {
    if (!isLowered(node)) return node;
    const inputs = node.inputs.map((x, i) => {
      const isBias = node.op === 'Attention' && i === 3;
      return lowered(isBias && dtype === 'float16' ? maximum(x, LEAST_FLOAT16) : x);
    });
    return cast(apply(node.op, inputs, node.attributes), 'float32');
  });
}

const isLowered = ({ op, dtype }: Pick<Tensor, 'op' | 'dtype'>): boolean => LOWERED.has(op) && dtype === 'float32';
