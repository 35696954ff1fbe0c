/**
 * Element types of the graph, under their ONNX meaning, and the typed array that carries each in JavaScript.
 * Does not know how a device stores them.
 */
import { internalError } from '../errors.ts';

export const DTYPES = ['float32', 'float16', 'bfloat16', 'int64', 'int32', 'uint8', 'int8', 'bool'] as const;
export type DType = (typeof DTYPES)[number];

/** What JavaScript holds: 16-bit floats as their bit patterns, booleans as bytes. */
export type TypedArray = Float32Array | Uint16Array | BigInt64Array | Int32Array | Uint8Array | Int8Array;

export const BYTES: Readonly<Record<DType, number>> = {
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  uint8: 1,
  int8: 1,
  bool: 1,
};

export const isFloat = (dtype: DType): boolean => dtype === 'float32' || dtype === 'float16' || dtype === 'bfloat16';

/** A zeroed array of `size` elements. */
export function allocate(dtype: DType, size: number): TypedArray {
  switch (dtype) {
    case 'float32':
      return new Float32Array(size);
    case 'float16':
    case 'bfloat16':
      return new Uint16Array(size);
    case 'int64':
      return new BigInt64Array(size);
    case 'int32':
      return new Int32Array(size);
    case 'uint8':
    case 'bool':
      return new Uint8Array(size);
    case 'int8':
      return new Int8Array(size);
    default:
      throw internalError('allocate', 'a known dtype', dtype satisfies never);
  }
}
