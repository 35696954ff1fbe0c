/**
 * PyTorch `.bin` checkpoints, in zip form and in the older stream form, as a lazily read tensor source. Executes nothing.
 * Knows where each form keeps its storages; the pickle inside is read by the restricted machine of pickle.ts.
 */
import { open } from 'node:fs/promises';

import { missingFileError } from './file-errors.ts';
import { PickleCutShort } from './pickle.ts';
import { PickleTensor, type PickleValue } from './pickle-values.ts';
import { createTensorSource, dtypeBytes, elementCount, type TensorEntry, type TensorSource } from './tensor-entry.ts';
import { torchError } from './torch-layout.ts';
import { readLegacyLayout } from './torch-legacy.ts';
import { readZipLayout } from './torch-zip.ts';

export type TorchFile = TensorSource & { readonly format: 'torch zip' | 'torch legacy stream' };

/**
 * Opens a pickled state dict: a dict of tensors, or a dict that holds one under `state_dict` (other entries beside it are ignored).
 * Throws a checkpoint error that names the file: not a torch file, cut short, naming any global but those of tensors (refused, not run),
 * a storage that does not fit, an entry that is no tensor.
 */
export async function openTorchBin(path: string): Promise<TorchFile> {
  const handle = await open(path, 'r').catch((error) => {
    throw missingFileError('torch file', path, error);
  });
  try {
    const { size } = await handle.stat();
    const head = new Uint8Array(Math.min(4, size));
    await handle.read(head, 0, head.length, 0);
    const isZip = head[0] === 0x50 && head[1] === 0x4b;
    if (!isZip && head[0] !== 0x80)
      throw torchError(
        path,
        'this must be a zip or a pickle as torch.save writes them',
        'neither',
        'downloading the file again',
      );
    const { root, offsets } = isZip
      ? await readZipLayout(path, handle, size)
      : await readLegacyLayout(path, handle, size);
    const tensors = collectTensors(path, root, offsets);
    return { ...createTensorSource(path, tensors), format: isZip ? 'torch zip' : 'torch legacy stream' };
  } catch (error) {
    if (error instanceof PickleCutShort)
      throw torchError(
        path,
        'the pickle must be complete',
        'the end of the data first',
        'downloading the file again; it was cut short',
      );
    throw error;
  } finally {
    await handle.close();
  }
}

function collectTensors(
  path: string,
  root: PickleValue,
  offsets: ReadonlyMap<string, number>,
): Map<string, TensorEntry> {
  const nested = root instanceof Map ? root.get('state_dict') : undefined;
  const dict = nested instanceof Map ? nested : root;
  if (!(dict instanceof Map))
    throw torchError(
      path,
      'the file must hold a dict of tensors',
      dict === null ? 'None' : typeof dict,
      'a state dict saved by torch.save',
    );
  const tensors = new Map<string, TensorEntry>();
  for (const [name, value] of dict) {
    if (typeof name !== 'string' || !(value instanceof PickleTensor))
      throw torchError(
        path,
        `entry ${String(name)} must be a tensor`,
        typeof value,
        'a state dict saved by torch.save',
      );
    const storageStart = offsets.get(value.storage.key) as number;
    tensors.set(name, toEntry(path, name, value, storageStart));
  }
  return tensors;
}

function toEntry(file: string, name: string, tensor: PickleTensor, storageStart: number): TensorEntry {
  const { shape, strides, offset } = tensor;
  const { dtype } = tensor.storage;
  const entry = {
    name,
    dtype,
    shape,
    file,
    offset: storageStart + offset * dtypeBytes[dtype],
    byteLength: elementCount(shape) * dtypeBytes[dtype],
  };
  return isRowMajor(shape, strides) ? entry : { ...entry, strides };
}

/** A dimension of size 1 is never stepped over, so its stride says nothing; an empty tensor has no steps at all. */
function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] as number;
    if (size === 0) return true;
    if (size > 1 && strides[axis] !== step) return elementCount(shape) === 0;
    step *= size;
  }
  return true;
}
