/**
 * How a parameter is stored, and the ONNX that brings it back: an initializer and, where it is stored otherwise than the graph
 * computes, the node that decodes it.
 */
import { dirname, relative, sep } from 'node:path';
import { internalError } from '../errors.ts';
import { BYTES, type DType, type QuantizedForm, sizeOf, type Tensor } from '../tensor/index.ts';
import { DATA_TYPE } from './schema.ts';

/** In the model's own bytes, or as a byte range of a file given by its absolute, link-free path. */
export type StoredBytes = { readonly dtype: DType } & (
  | { readonly bytes: Uint8Array }
  | { readonly file: string; readonly offset: number; readonly length: number }
);

/** A quantized weight in its two tensors; `runtime/quantized-linear.ts` makes a graph of it before it comes here. */
export type QuantizedWeight = {
  readonly form: QuantizedForm;
  readonly packed: StoredBytes;
  readonly scale: StoredBytes;
};

export type StoredWeight = StoredBytes | QuantizedWeight;

/** Stored form of a parameter; undefined leaves it an input, fed on every run. */
export type WeightPlan = (name: string) => StoredWeight | undefined;

export const isQuantized = (stored: StoredWeight): stored is QuantizedWeight => 'form' in stored;

/** Throws unless the stored bytes are as many as the parameter's shape takes. */
export function checkStored(name: string, node: Tensor, stored: StoredBytes): void {
  const expected = sizeOf(node.shape) * BYTES[stored.dtype];
  const length = 'bytes' in stored ? stored.bytes.byteLength : stored.length;
  if (length !== expected)
    throw internalError('toOnnx', `${name} must have ${expected} bytes of ${stored.dtype} in storage`, length);
}

export const initializer = (name: string, dtype: DType, dims: readonly number[], raw_data: Uint8Array): object => ({
  name,
  dims,
  data_type: DATA_TYPE[dtype],
  raw_data,
});

/** The initializer of a stored weight; `folder` holds every external file of the model. */
export function storedInitializer(name: string, dims: readonly number[], stored: StoredBytes, folder: string): object {
  if ('bytes' in stored) return initializer(name, stored.dtype, dims, stored.bytes);
  return {
    name,
    dims,
    data_type: DATA_TYPE[stored.dtype],
    data_location: 1,
    external_data: [
      { key: 'location', value: relative(folder, stored.file).split(sep).join('/') },
      { key: 'offset', value: String(stored.offset) },
      { key: 'length', value: String(stored.length) },
    ],
  };
}

/** The deepest folder that holds all `files`. The runtime refuses external data outside one folder. */
export function commonFolder(files: readonly string[]): string {
  const [first, ...rest] = files;
  if (first === undefined) throw internalError('commonFolder', 'needs a file', files.length);
  let folder = dirname(first);
  while (!rest.every((file) => file.startsWith(folder.endsWith(sep) ? folder : folder + sep))) folder = dirname(folder);
  return folder;
}
