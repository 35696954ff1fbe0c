/**
 * The average of several trained models: every weight the mean of theirs, in float32 (report §8.3 averages fine-tuned models).
 * Makes a whole model folder, the files around the weights being those of the first. Does not judge which is better.
 */
import { cp, readFile } from 'node:fs/promises';
import path from 'node:path';
import { checkpointError, inputError } from '../errors.ts';
import { checkpointName, openComponent } from '../weights/checkpoint.ts';
import { writeSafetensors } from '../weights/safetensors.ts';
import type { TensorSource } from '../weights/tensor-entry.ts';
import { replaceFolder, writingErrors } from './disk.ts';
import { JOINT_COMPONENTS, type JointComponent, weightsFile } from './model-folder.ts';

/** Files that must be equal, or equal weights would mean different things. */
const SHARED = ['vae/config.json', 'hunyuan_clip/tokenizer/vocab.txt', 'step_llm/step1_chat_tokenizer.model'];

/**
 * Writes the average of `models` as the model folder `out`, whole or not at all.
 * @throws input error for fewer than two; checkpoint error where names, shapes, tokenizers or the VAE differ.
 */
export async function averageModels(models: readonly string[], out: string): Promise<void> {
  const [first, ...others] = models;
  if (first === undefined || others.length === 0)
    throw inputError('average', 'two models at least must be given', models.length);
  for (const file of SHARED) {
    const own = await readFile(path.join(first, file)).catch(() => undefined);
    for (const other of others) {
      const theirs = await readFile(path.join(other, file)).catch(() => undefined);
      if (own === undefined ? theirs !== undefined : !theirs?.equals(own))
        throw checkpointError(
          `average ${other}`,
          `${file} must equal that of ${first}`,
          theirs ? 'another one' : 'nothing',
        );
    }
  }
  await writingErrors(out, () =>
    replaceFolder(out, async (part) => {
      await cp(first, part, { recursive: true });
      for (const component of JOINT_COMPONENTS) await averageComponent(models, component, part);
    }),
  );
}

async function averageComponent(models: readonly string[], component: JointComponent, out: string): Promise<void> {
  const opened = await Promise.all(models.map((model) => openComponent(model, component)));
  try {
    const [first, ...others] = opened.map(({ source }) => source) as [TensorSource, ...TensorSource[]];
    const tensors = [];
    for (const entry of first.tensors.values()) {
      const sum = (await first.readFloat32(entry)).slice();
      for (const other of others) {
        const theirs = other.tensors.get(entry.name);
        if (theirs?.shape.join() !== entry.shape.join())
          throw checkpointError(
            `average ${other.path}`,
            `${component} ${entry.name} must be [${entry.shape.join(', ')}]`,
            theirs?.shape ?? 'nothing',
          );
        const values = await other.readFloat32(theirs!);
        for (let i = 0; i < sum.length; i++) sum[i]! += values[i]!;
      }
      for (let i = 0; i < sum.length; i++) sum[i]! /= models.length;
      const { shape } = entry;
      tensors.push({ name: checkpointName(component, entry.name), dtype: 'F16' as const, shape, data: sum });
    }
    await writeSafetensors(weightsFile(out, component), tensors, { format: 'pt' });
  } finally {
    await Promise.all(opened.map(({ source }) => source.close()));
  }
}
