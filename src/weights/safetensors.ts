/**
 * Safetensors files, read lazily: opening reads and checks the header only, tensors are read by range when asked for.
 * Does not know shards, models or names. The front door of the format: the writer and the entry types are re-exported here.
 */
import { open } from 'node:fs/promises';
import { missingFileError } from './file-errors.ts';
import { readRange } from './file-range.ts';
import { headerError, headerLength, parseHeader } from './safetensors-header.ts';
import { createTensorSource, type TensorSource } from './tensor-entry.ts';

export { encodeFloat } from './float-codec.ts';
export { writeSafetensors } from './safetensors-writer.ts';
export type { TensorSource } from './tensor-entry.ts';

export type SafetensorsFile = TensorSource & { readonly metadata: Readonly<Record<string, string>> };

/**
 * Opens a safetensors file and checks its whole header against the file's size.
 * Throws a checkpoint error that names the file, and the tensor where there is one: file missing or cut short, header length
 * wrong, JSON broken, a name twice, unknown dtype, shape and length at odds, data overlapping, out of range or not covered.
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const handle = await open(path, 'r').catch((error) => {
    throw missingFileError('safetensors', path, error);
  });
  try {
    const { size } = await handle.stat();
    const length = headerLength(path, await readRange(handle, 0, Math.min(8, size)), size);
    const { tensors, metadata } = parseHeader(path, await readRange(handle, 8, length), size);
    return { ...createTensorSource(path, tensors), metadata };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EISDIR')
      throw headerError(path, 'this must be a file', 'a folder', 'a file in it');
    throw error;
  } finally {
    await handle.close();
  }
}
