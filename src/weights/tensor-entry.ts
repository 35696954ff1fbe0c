/**
 * What every weight file looks like from outside: named tensors, each a typed range of bytes in a file, read on demand.
 * Does not know file formats; readers make the entries, this file reads the bytes behind them.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { checkpointError, internalError } from '../errors.ts';
import type { QuantizedForm } from '../tensor/index.ts';
import { readRange } from './file-range.ts';
import { decodeFloat } from './float-codec.ts';
import { dequantize } from './quantize-rows.ts';

/** Element types that weight files may hold, under their safetensors names. */
export type DType = 'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'I16' | 'I8' | 'U8' | 'BOOL';

/** Bytes of one element. */
export const dtypeBytes: Readonly<Record<DType, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

export const isDType = (name: unknown): name is DType => typeof name === 'string' && Object.hasOwn(dtypeBytes, name);

/** A tensor's description; nothing is read until asked for. Data are little-endian. */
export type TensorEntry = {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Path of the file that holds the data (of the shard, where there are several). */
  readonly file: string;
  /** Absolute byte offset of the first element. */
  readonly offset: number;
  /** Bytes of the tensor once read: elements x bytes of one, or the codes of a quantized one. */
  readonly byteLength: number;
  /** Steps in elements, only where the data are not stored row-major and gapless (pickled views); else absent. */
  readonly strides?: readonly number[];
  /** Present where the bytes are codes of `shape`'s weights: their form, and the tensor of their scales. */
  readonly quantized?: { readonly form: QuantizedForm; readonly scale: TensorEntry };
};

/** How the elements of a tensor are stored, for people: `BF16`, `int4`. */
export const storageName = ({ dtype, quantized }: Pick<TensorEntry, 'dtype' | 'quantized'>): string =>
  quantized?.form.scheme ?? dtype;

/** Bytes on disk, scales included. */
export const storedBytes = ({ byteLength, quantized }: TensorEntry): number =>
  byteLength + (quantized?.scale.byteLength ?? 0);

/** A set of tensors by name, over one file or many. */
export type TensorSource = {
  /** File or folder, for messages. */
  readonly path: string;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** The tensor's bytes in row-major order, in a buffer of its own (so typed views need no copy). Reads only that range. */
  readTensor(entry: TensorEntry): Promise<Uint8Array>;
  /** The tensor as float32, dequantized where it is quantized. Exact for all but F64, I64 and I32, which round to nearest. Throws a checkpoint error if the file was cut. */
  readFloat32(entry: TensorEntry): Promise<Float32Array>;
  /** Closes open files. The source can still be read afterwards; it opens them again. */
  close(): Promise<void>;
};

/** Number of elements of a shape; 1 for a scalar. */
export const elementCount = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** Source over entries that a reader has checked. Files are opened on first use and shared by concurrent reads. */
export function createTensorSource(path: string, tensors: ReadonlyMap<string, TensorEntry>): TensorSource {
  const handles = new Map<string, Promise<FileHandle>>();
  const handleOf = (file: string) => {
    let handle = handles.get(file);
    if (handle === undefined) {
      handle = open(file, 'r');
      handles.set(file, handle);
      handle.catch(() => handles.delete(file));
    }
    return handle;
  };
  const readTensor = async (entry: TensorEntry) => {
    if (entry.strides !== undefined) return readStrided(await handleOf(entry.file), entry, entry.strides);
    return readWhole(await handleOf(entry.file), entry, entry.byteLength);
  };
  return {
    path,
    tensors,
    readTensor,
    async readFloat32(entry) {
      const { quantized, shape } = entry;
      if (quantized === undefined) return decodeFloat(await readTensor(entry), entry.dtype);
      const scale = decodeFloat(await readTensor(quantized.scale), 'F32');
      return dequantize(quantized.form, shape as readonly [number, number], await readTensor(entry), scale);
    },
    async close() {
      const open = [...handles.values()];
      handles.clear();
      await Promise.all(open.map(async (handle) => (await handle.catch(() => undefined))?.close()));
    },
  };
}

async function readWhole(handle: FileHandle, entry: TensorEntry, length: number): Promise<Uint8Array> {
  const { file, name, offset } = entry;
  const bytes = await readRange(handle, offset, length);
  if (bytes.byteLength < length)
    throw checkpointError(
      `read ${file}`,
      `tensor ${name} needs bytes ${offset} to ${offset + length}`,
      `the end of the file at ${offset + bytes.byteLength}`,
      'downloading or copying the file again; it was cut after it was opened',
    );
  return bytes;
}

/** Gathers a view with steps into row-major order; reads the smallest range that holds it. */
async function readStrided(handle: FileHandle, entry: TensorEntry, strides: readonly number[]): Promise<Uint8Array> {
  const { shape, dtype, byteLength } = entry;
  if (strides.length !== shape.length)
    throw internalError('readTensor', `${entry.name} needs a step per dimension`, strides);
  const size = dtypeBytes[dtype];
  const out = new Uint8Array(byteLength);
  if (byteLength === 0) return out;
  const last = shape.reduce((sum, d, axis) => sum + (d - 1) * (strides[axis] as number), 0);
  const bytes = await readWhole(handle, entry, (last + 1) * size);
  const index = new Array<number>(shape.length).fill(0);
  let from = 0;
  for (let to = 0; to < byteLength; to += size) {
    for (let b = 0; b < size; b++) out[to + b] = bytes[from * size + b] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const step = strides[axis] as number;
      const next = (index[axis] as number) + 1;
      if (next < (shape[axis] as number)) {
        index[axis] = next;
        from += step;
        break;
      }
      from -= (next - 1) * step;
      index[axis] = 0;
    }
  }
  return out;
}
