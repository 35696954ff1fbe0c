/**
 * Which encoder made some latents: the same weights make the same latents, whatever decoder is trained for them.
 */
import { createHash } from 'node:crypto';
import type { TensorSource } from '../weights/tensor-entry.ts';

/** Lower-case hexadecimal sha256 over the names and bytes of a VAE's encoder weights, as stored. */
export async function encoderHash(source: TensorSource): Promise<string> {
  const hash = createHash('sha256');
  for (const name of [...source.tensors.keys()].sort())
    if (name.startsWith('encoder.')) hash.update(name).update(await source.readTensor(source.tensors.get(name)!));
  return hash.digest('hex');
}
