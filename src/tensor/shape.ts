/**
 * Static shapes: sizes, strides, broadcasting by ONNX (NumPy) rules.
 * Knows numbers only; which op needs which rule stands with the op.
 */
import { internalError } from '../errors.ts';

export type Shape = readonly number[];

export const sizeOf = (shape: Shape): number => shape.reduce((product, d) => product * d, 1);

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((d, i) => d === b[i]);

/** `axis` counted from the front; negative counts from the back. */
export function axisOf(op: string, axis: number, rank: number): number {
  const a = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(a) || a < 0 || a >= rank)
    throw internalError(op, `axis must lie in a rank ${rank} tensor`, axis);
  return a;
}

/** The dimension at `axis`, which must exist. */
export const dim = (shape: Shape, axis: number): number => shape[axisOf('dim', axis, shape.length)] as number;

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i] as number;
  }
  return strides;
}

/** Shape that both broadcast to; throws where a pair of dimensions is neither equal nor 1. */
export function broadcast(op: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  const out = new Array<number>(rank);
  for (let i = 0; i < rank; i++) {
    const da = a[a.length - rank + i] ?? 1;
    const db = b[b.length - rank + i] ?? 1;
    if (da !== db && da !== 1 && db !== 1)
      throw internalError(op, 'shapes must broadcast', `[${a.join(', ')}] and [${b.join(', ')}]`);
    out[i] = da === 1 ? db : da;
  }
  return out;
}

/** Axes that must be summed to bring a tensor of shape `from` back to `to`, `to` having been broadcast to `from`. */
export function broadcastAxes(from: Shape, to: Shape): number[] {
  const lead = from.length - to.length;
  const axes: number[] = [];
  for (let i = 0; i < from.length; i++) if (i < lead || (to[i - lead] === 1 && from[i] !== 1)) axes.push(i);
  return axes;
}
