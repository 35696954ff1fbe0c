/**
 * Opens any weight file by its name: safetensors, the index of a sharded checkpoint, or a pickled torch file.
 * Does not know components.
 */
import { basename, dirname } from 'node:path';
import { inputError } from '../errors.ts';
import { joinQuantized } from './quantization.ts';
import { openSafetensors } from './safetensors.ts';
import { openShardedSafetensors } from './sharded.ts';
import type { TensorSource } from './tensor-entry.ts';
import { openTorchBin } from './torch-bin.ts';

export type WeightFile = TensorSource & {
  readonly files: readonly string[];
  readonly format: 'safetensors' | 'safetensors index' | 'torch zip' | 'torch legacy stream';
  readonly metadata: Readonly<Record<string, string>>;
};

/** Whether `openWeights` takes a file of this name. */
export const isWeightFile = (name: string): boolean =>
  /\.(safetensors|safetensors\.index\.json|bin|pt|pth|ckpt)$/.test(name);

/** Opens `path` with the reader that its ending asks for; checks headers, reads no data. */
export async function openWeights(path: string): Promise<WeightFile> {
  if (path.endsWith('.index.json')) {
    const source = await openShardedSafetensors(dirname(path), basename(path));
    return { ...source, format: 'safetensors index' };
  }
  if (path.endsWith('.safetensors')) {
    const file = await openSafetensors(path);
    const tensors = joinQuantized(path, file.tensors, file.metadata);
    return { ...file, tensors, files: [path], format: 'safetensors' };
  }
  if (!isWeightFile(path))
    throw inputError(
      `open ${path}`,
      'a weight file must end in .safetensors, .safetensors.index.json or .bin',
      basename(path),
    );
  return { ...(await openTorchBin(path)), files: [path], metadata: {} };
}
