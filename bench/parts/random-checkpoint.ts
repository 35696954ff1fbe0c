/**
 * Checkpoint folders of random weights in a temporary place, so that benches load networks as users do and need no model.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gaussian } from '../../src/diffusion/noise.ts';
import { ditVelocity } from '../../src/dit/model.ts';
import { Scope } from '../../src/nn/scope.ts';
import { float32, floats, type Value } from '../../src/runtime/value.ts';
import { initialValues } from '../../src/train/parameters.ts';
import { decoder } from '../../src/vae/decoder.ts';
import { encoder } from '../../src/vae/encoder.ts';
import { checkpointName, componentFolder } from '../../src/weights/checkpoint.ts';
import type { TransformerConfig, VaeConfig } from '../../src/weights/component-config.ts';
import { writeSafetensors } from '../../src/weights/safetensors.ts';

/** Start values moved a little, gains and zeros too: a mix-up of any two weights would show. */
export const scatteredValues = (scope: Scope): Map<string, Value> =>
  new Map(
    [...initialValues(scope.specs, 1)].map(([name, value], stream) => {
      const noise = gaussian({ seed: 3, length: value.data.length, stream });
      return [
        name,
        float32(
          floats(value).map((x, i) => x + 0.02 * noise[i]!),
          value.shape,
        ),
      ];
    }),
  );

export type StoredDtype = 'F32' | 'F16';
export type RandomCheckpoint = { readonly directory: string; remove(): Promise<void> };

/** A directory with scattered start weights of a denoiser, stored as `dtype`. */
export function randomDit(config: TransformerConfig, dtype: StoredDtype): Promise<RandomCheckpoint> {
  const scope = new Scope();
  ditVelocity(scope, config, 'fused');
  return write('transformer', 'diffusion_pytorch_model.safetensors', { config, scope, dtype });
}

/** A directory with scattered start weights of a Video-VAE, stored as `dtype`. */
export function randomVae(config: VaeConfig, dtype: StoredDtype): Promise<RandomCheckpoint> {
  const scope = new Scope();
  encoder(scope.at('encoder'), config, 'fused');
  decoder(scope.at('decoder'), config, { form: 'fused' });
  return write('vae', 'vae_v2.safetensors', { config, scope, dtype });
}

async function write(
  component: 'transformer' | 'vae',
  file: string,
  { config, scope, dtype }: { config: object; scope: Scope; dtype: StoredDtype },
): Promise<RandomCheckpoint> {
  const directory = await mkdtemp(path.join(tmpdir(), 'step-video-bench-'));
  const folder = componentFolder(directory, component);
  await mkdir(folder, { recursive: true });
  const tensors = [...scatteredValues(scope)].map(([name, value]) => ({
    name: checkpointName(component, name),
    dtype,
    shape: value.shape,
    data: floats(value),
  }));
  await writeSafetensors(path.join(folder, file), tensors);
  await writeFile(path.join(folder, 'config.json'), JSON.stringify(config));
  return { directory, remove: () => rm(directory, { recursive: true }) };
}
