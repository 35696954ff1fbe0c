/**
 * A value: what a tensor holds at run time on the host. Shape and dtype travel with the data.
 */
import { internalError } from '../errors.ts';
import { allocate, type DType, type Shape, sizeOf, type TypedArray } from '../tensor/index.ts';

export type Value = { readonly dtype: DType; readonly shape: Shape; readonly data: TypedArray };
export type Values = Readonly<Record<string, Value>>;

export const float32 = (data: Float32Array, shape: Shape): Value => checked('float32', data, shape);
export const int32 = (data: Int32Array, shape: Shape): Value => checked('int32', data, shape);
export const zeros = (shape: Shape, dtype: DType = 'float32'): Value => ({
  dtype,
  shape,
  data: allocate(dtype, sizeOf(shape)),
});

function checked(dtype: DType, data: TypedArray, shape: Shape): Value {
  if (data.length !== sizeOf(shape)) throw internalError('value', `data must fill [${shape.join(', ')}]`, data.length);
  return { dtype, shape, data };
}

/** The float32 elements of a value that must be of that dtype. */
export function floats(value: Value | undefined): Float32Array {
  if (value?.dtype !== 'float32') throw internalError('floats', 'value must be float32', value?.dtype);
  return value.data as Float32Array;
}
