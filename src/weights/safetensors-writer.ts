/**
 * Writes safetensors files atomically: a reader sees the old file or the whole new one, never a half.
 * Does not know what the tensors are; names, shapes and storage types come from the caller.
 */
import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { internalError, StepVideoError } from '../errors.ts';
import { encodeFloat } from './float-codec.ts';
import { type DType, dtypeBytes, elementCount } from './tensor-entry.ts';

/** What a file is to hold, before there are data. */
export type TensorLayout = { readonly name: string; readonly dtype: DType; readonly shape: readonly number[] };

/** A tensor to write. Float32 data are rounded to `dtype` (a float type); bytes must already be of `dtype`, row-major, little-endian. */
export type TensorToWrite = TensorLayout & { readonly data: Uint8Array | Float32Array };

type Metadata = Readonly<Record<string, string>>;

/** A file under way: tensors may be written in any order and in pieces. */
export interface SafetensorsWriter {
  /** Writes `bytes` into tensor `name`, `at` bytes from its start. */
  write(name: string, bytes: Uint8Array, at?: number): Promise<void>;
  /** Flushes the file and gives it its name. `metadata` may replace those given before by others of the same length. */
  finish(metadata?: Metadata): Promise<void>;
  /** Leaves nothing behind; an older file of that name stays. */
  abort(): Promise<void>;
}

/**
 * Starts the file `path`, in a temporary one beside it that `finish` renames. The header is padded to 8 bytes and wider types come
 * first, so that every tensor is aligned to its element. Every method throws an environment error if the file cannot be written;
 * `abort` must follow then. Throws an internal error if a name comes twice.
 */
export async function createSafetensors(
  path: string,
  tensors: Iterable<TensorLayout>,
  metadata?: Metadata,
): Promise<SafetensorsWriter> {
  const sorted = [...tensors].sort((a, b) => dtypeBytes[b.dtype] - dtypeBytes[a.dtype] || (a.name < b.name ? -1 : 1));
  const { header, offsets } = buildHeader(sorted, metadata);
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  const handle = await writing(path, () => open(temporary, 'wx'));
  const remove = async (): Promise<void> => {
    await handle.close();
    await rm(temporary, { force: true });
  };
  await writing(path, () => writeAll(handle, header, 0)).catch(async (error) => {
    await remove();
    throw error;
  });
  let written = header.byteLength;
  return {
    async write(name, bytes, at = 0) {
      const range = offsets.get(name);
      if (range === undefined || at + bytes.byteLength > range.length)
        throw internalError('writeSafetensors', `${name} must be announced with room for its bytes`, range?.length);
      await writing(path, () => writeAll(handle, bytes, header.byteLength + range.start + at));
      written += bytes.byteLength;
    },
    async finish(replaced = metadata) {
      const last = [...offsets.values()].reduce((end, { start, length }) => Math.max(end, start + length), 0);
      if (written !== header.byteLength + last)
        throw internalError('writeSafetensors', `all ${header.byteLength + last} bytes must be written`, written);
      const final = replaced === metadata ? header : buildHeader(sorted, replaced).header;
      if (final.byteLength !== header.byteLength)
        throw internalError('writeSafetensors', 'new metadata must be as long as the old', final.byteLength);
      await writing(path, async () => {
        if (final !== header) await writeAll(handle, final, 0);
        await handle.sync();
        await handle.close();
        await rename(temporary, path);
      });
    },
    abort: remove,
  };
}

/**
 * Writes `tensors` to `path` as one. Throws an environment error if the file cannot be written (nothing is left behind, an older
 * file at `path` stays), an internal error if data and shape disagree or a name comes twice.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<TensorToWrite>,
  metadata?: Metadata,
): Promise<void> {
  const all = [...tensors];
  for (const { name, dtype, shape, data } of all) {
    const bytes = elementCount(shape) * dtypeBytes[dtype];
    const got = data instanceof Float32Array ? data.length * dtypeBytes[dtype] : data.byteLength;
    if (got !== bytes)
      throw internalError('writeSafetensors', `${name}, ${dtype} [${shape.join(', ')}], must take ${bytes} bytes`, got);
  }
  const writer = await createSafetensors(path, all, metadata);
  try {
    for (const tensor of all) await writer.write(tensor.name, bytesOf(tensor));
    await writer.finish();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

const bytesOf = ({ data, dtype }: TensorToWrite): Uint8Array =>
  data instanceof Float32Array ? encodeFloat(data, dtype) : data;

type Ranges = ReadonlyMap<string, { readonly start: number; readonly length: number }>;

/** The header's bytes, and where each tensor lies after it. */
function buildHeader(tensors: readonly TensorLayout[], metadata?: Metadata): { header: Uint8Array; offsets: Ranges } {
  // A Map-like list of pairs instead of an object: names such as "12" or "__proto__" must stay in place.
  const fields: string[] = [];
  if (metadata !== undefined) fields.push(`"__metadata__":${JSON.stringify(metadata)}`);
  const offsets = new Map<string, { start: number; length: number }>();
  let offset = 0;
  for (const { name, dtype, shape } of tensors) {
    if (offsets.has(name) || name === '__metadata__')
      throw internalError('writeSafetensors', 'every tensor needs a name of its own', name);
    const length = elementCount(shape) * dtypeBytes[dtype];
    offsets.set(name, { start: offset, length });
    fields.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [offset, offset + length] })}`);
    offset += length;
  }
  const json = Buffer.from(`{${fields.join(',')}}`);
  const padded = Math.ceil(json.byteLength / 8) * 8;
  const header = Buffer.alloc(8 + padded, ' ');
  header.writeBigUInt64LE(BigInt(padded), 0);
  json.copy(header, 8);
  return { header, offsets };
}

async function writeAll(handle: Awaited<ReturnType<typeof open>>, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength)
    done += (await handle.write(bytes, done, Math.min(bytes.byteLength - done, 1 << 30), position + done)).bytesWritten;
}

/** Runs `write`; what the system says (disk full, no permission) becomes an environment error about `path`. */
async function writing<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (error instanceof StepVideoError || (error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new StepVideoError(
      'environment',
      `write ${path}`,
      'the file must be writable',
      (error as Error).message,
      'another path, or freeing disk space',
      error,
    );
  }
}
