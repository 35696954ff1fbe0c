/**
 * A whole model in the official layout, small enough for clips of 128 x 128: the recorded checkpoint's text encoders and
 * denoiser, with a Video-VAE of a few channels and random weights.
 */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Scope } from '../../src/nn/scope.ts';
import { floats } from '../../src/runtime/value.ts';
import { input } from '../../src/tensor/index.ts';
import { initialValues } from '../../src/train/parameters.ts';
import { decoder } from '../../src/vae/decoder.ts';
import { encoder } from '../../src/vae/encoder.ts';
import { checkpointName } from '../../src/weights/checkpoint.ts';
import { writeSafetensors } from '../../src/weights/safetensors.ts';

const recorded = fileURLToPath(new URL('../golden/parity/checkpoint', import.meta.url));

const VAE = {
  encoder: { ch: 4, ch_mult: [1, 1, 1, 2], num_res_blocks: 1 },
  decoder: { ch: 4, ch_mult: [1, 1, 1, 2], num_res_blocks: 0 },
  z_channels: 2,
  channels: 32,
  num_groups: 2,
};

/** Writes the model to `directory`, which must not exist. */
export async function writeTinyModel(directory: string): Promise<void> {
  const vae = path.join(directory, 'vae');
  cpSync(recorded, directory, { recursive: true, filter: (file) => !file.startsWith(path.join(recorded, 'vae')) });
  mkdirSync(vae, { recursive: true });
  writeFileSync(path.join(vae, 'config.json'), JSON.stringify(VAE));
  const scope = new Scope();
  encoder(scope.at('encoder'), VAE, 'fused')(input('pixels', [1, 1, 3, 32, 32]));
  decoder(scope.at('decoder'), VAE, { form: 'fused' })(input('latents', [1, 1, 2, 2, 2]));
  const tensors = [...initialValues(scope.specs, 1)].map(([name, value]) => ({
    name: checkpointName('vae', name),
    dtype: 'F32' as const,
    shape: [...value.shape],
    data: floats(value),
  }));
  await writeSafetensors(path.join(vae, 'vae_v2.safetensors'), tensors);
}
