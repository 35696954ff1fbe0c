/**
 * Checks that shape rules of several ops share.
 */
import { internalError } from '../errors.ts';
import { type DType, isFloat } from './dtype.ts';
import type { Tensor } from './tensor.ts';

/** The one dtype of all `inputs`. */
export function oneDtype(op: string, inputs: readonly Tensor[]): DType {
  const { dtype } = inputs[0] as Tensor;
  const other = inputs.find((x) => x.dtype !== dtype);
  if (other !== undefined) throw internalError(op, 'operands must have one dtype', `${dtype} and ${other.dtype}`);
  return dtype;
}

/** The one dtype of all `inputs`, which must be a float. */
export function floatDtype(op: string, inputs: readonly Tensor[]): DType {
  const dtype = oneDtype(op, inputs);
  if (!isFloat(dtype)) throw internalError(op, 'operands must be floats', dtype);
  return dtype;
}

/** `[2, 3] and [4, 5]`, for messages. */
export const shapesText = (inputs: readonly Tensor[]): string =>
  inputs.map((x) => `[${x.shape.join(', ')}]`).join(' and ');
