/**
 * Writes safetensors files atomically: a reader sees the old file or the whole new one, never a half.
 * Does not know what the tensors are; names, shapes and storage types come from the caller.
 */
import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { internalError, StepVideoError } from '../errors.ts';
import { encodeFloat } from './float-codec.ts';
import { type DType, dtypeBytes, elementCount } from './tensor-entry.ts';

/** A tensor to write. Float32 data are rounded to `dtype` (a float type); bytes must already be of `dtype`, row-major, little-endian. */
export type TensorToWrite = {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: Uint8Array | Float32Array;
};

/**
 * Writes `tensors` to `path`: into a temporary file beside it, flushed, then renamed. The header is padded to 8 bytes and wider
 * types come first, so that every tensor is aligned to its element. Throws an environment error if the file cannot be written
 * (nothing is left behind, an older file at `path` stays), an internal error if data and shape disagree or a name comes twice.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorToWrite>,
  metadata?: Readonly<Record<string, string>>,
): Promise<void> {
  const sorted = [...tensors].sort((a, b) => dtypeBytes[b.dtype] - dtypeBytes[a.dtype] || (a.name < b.name ? -1 : 1));
  const header = buildHeader(sorted, metadata);
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    const handle = await open(temporary, 'wx');
    try {
      await writeAll(handle, header);
      for (const tensor of sorted) await writeAll(handle, bytesOf(tensor));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    const message = (error as Error).message;
    throw new StepVideoError(
      'environment',
      `write ${path}`,
      'the file must be writable',
      message,
      'another path, or freeing disk space',
      error,
    );
  }
}

const bytesOf = ({ data, dtype }: TensorToWrite): Uint8Array =>
  data instanceof Float32Array ? encodeFloat(data, dtype) : data;

function buildHeader(tensors: readonly TensorToWrite[], metadata?: Readonly<Record<string, string>>): Uint8Array {
  // A Map-like list of pairs instead of an object: names such as "12" or "__proto__" must stay in place.
  const fields: string[] = [];
  if (metadata !== undefined) fields.push(`"__metadata__":${JSON.stringify(metadata)}`);
  const seen = new Set<string>(['__metadata__']);
  let offset = 0;
  for (const { name, dtype, shape, data } of tensors) {
    if (seen.has(name)) throw internalError('writeSafetensors', 'every tensor needs a name of its own', name);
    seen.add(name);
    const bytes = elementCount(shape) * dtypeBytes[dtype];
    const got = data instanceof Float32Array ? data.length * dtypeBytes[dtype] : data.byteLength;
    if (got !== bytes)
      throw internalError('writeSafetensors', `${name}, ${dtype} [${shape.join(', ')}], must take ${bytes} bytes`, got);
    fields.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [offset, offset + bytes] })}`);
    offset += bytes;
  }
  const json = Buffer.from(`{${fields.join(',')}}`);
  const padded = Math.ceil(json.byteLength / 8) * 8;
  const header = Buffer.alloc(8 + padded, ' ');
  header.writeBigUInt64LE(BigInt(padded), 0);
  json.copy(header, 8);
  return header;
}

async function writeAll(handle: Awaited<ReturnType<typeof open>>, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength)
    done += (await handle.write(bytes, done, Math.min(bytes.byteLength - done, 1 << 30))).bytesWritten;
}
