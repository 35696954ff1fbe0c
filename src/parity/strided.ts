/**
 * Every n-th element of a tensor along each axis, axes reordered: how recorded stages are stored. Knows no meaning.
 */
import { floats, type Value } from '../runtime/value.ts';
import { stridesOf } from '../tensor/index.ts';

/** Takes axes in `order` and of each, in the new order, every `steps`-th element from the first: as x.transpose(order)[::s0, ::s1, …]. */
export function strided(value: Value, how: { order: readonly number[]; steps: readonly number[] }): Float32Array {
  const strides = stridesOf(value.shape);
  const axes = how.order.map((axis, i) => {
    const step = how.steps[i] as number;
    return { count: Math.ceil((value.shape[axis] as number) / step), stride: (strides[axis] as number) * step };
  });
  const data = floats(value);
  const out = new Float32Array(axes.reduce((n, { count }) => n * count, 1));
  let at = 0;
  const walk = (depth: number, offset: number): void => {
    const axis = axes[depth];
    if (axis === undefined) {
      out[at++] = data[offset]!;
      return;
    }
    for (let i = 0; i < axis.count; i++) walk(depth + 1, offset + i * axis.stride);
  };
  walk(0, 0);
  return out;
}
