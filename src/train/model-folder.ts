/**
 * A small model's directory in the official layout: configs, tokenizers built from captions, weights of each component.
 * Does not train and does not know losses.
 */
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { allCaptionText, chineseWords } from '../data/captions.ts';
import type { World } from '../data/world.ts';
import { checkpointError } from '../errors.ts';
import { buildVocabularies } from '../prompt/build-vocabulary.ts';
import { floats, type Value } from '../runtime/value.ts';
import { checkpointName, componentFolder } from '../weights/checkpoint.ts';
import {
  type HunyuanClipConfig,
  parseConfig,
  type StepLlmConfig,
  type TransformerConfig,
} from '../weights/component-config.ts';
import { writeSafetensors } from '../weights/safetensors.ts';
import type { DitTraining } from './config.ts';

/** The three components that train together, as prefixes of their parameters' names. */
export const JOINT_COMPONENTS = ['transformer', 'step_llm', 'hunyuan_clip'] as const;
export type JointComponent = (typeof JOINT_COMPONENTS)[number];
export type JointConfigs = { transformer: TransformerConfig; step_llm: StepLlmConfig; hunyuan_clip: HunyuanClipConfig };

const FILE: Readonly<Record<JointComponent, string>> = {
  transformer: 'diffusion_pytorch_model.safetensors',
  step_llm: 'model.safetensors',
  hunyuan_clip: 'model.safetensors',
};

/** Where a model folder keeps the weights of a component. */
export const weightsFile = (folder: string, component: JointComponent): string =>
  path.join(componentFolder(folder, component), FILE[component]);

/** Builds tokenizers and writes every config into `folder`; vocabulary sizes come from the captions. */
export async function prepareFolder(folder: string, config: DitTraining, world: World): Promise<JointConfigs> {
  const captions = allCaptionText(world);
  const sizes = await buildVocabularies(captions, folder, {
    cjkWords: chineseWords(world),
    maxLength: config.model.clipTokens,
  });
  const written = {
    transformer: config.model.transformer,
    step_llm: { ...config.model.step_llm, orig_vocab_size: sizes.llm, padded_vocab_size: sizes.llm },
    hunyuan_clip: {
      ...config.model.hunyuan_clip,
      vocab_size: sizes.clip,
      max_position_embeddings: config.model.clipTokens,
    },
  };
  for (const component of JOINT_COMPONENTS) {
    const target = componentFolder(folder, component);
    await mkdir(target, { recursive: true });
    await writeJson(path.join(target, 'config.json'), written[component]);
  }
  return {
    transformer: parseConfig('transformer', written.transformer, 'transformer'),
    step_llm: parseConfig('step_llm', written.step_llm, 'step_llm'),
    hunyuan_clip: parseConfig('hunyuan_clip', written.hunyuan_clip, 'hunyuan_clip'),
  };
}

/** Files that say which token an id is. */
const VOCABULARIES = ['hunyuan_clip/tokenizer/vocab.txt', 'step_llm/step1_chat_tokenizer.model'];

/** @throws checkpoint error where model directory `start` numbers its tokens otherwise than `prepared`. */
export async function checkVocabularies(start: string, prepared: string): Promise<void> {
  for (const name of VOCABULARIES) {
    const [theirs, ours] = await Promise.all([start, prepared].map((folder) => readOrNothing(path.join(folder, name))));
    if (ours === undefined || theirs?.equals(ours)) continue;
    const rule = `${name} must be that of the captions of this run`;
    throw checkpointError(
      `train ${start}`,
      rule,
      theirs ? 'another one' : 'nothing',
      'a model trained on the same world',
    );
  }
}

const readOrNothing = (file: string): Promise<Buffer | undefined> => readFile(file).catch(() => undefined);

/** Writes the joint weights (float16) and the files around them, beside a copy of the VAE. */
export async function saveFolder(
  target: string,
  parts: {
    weights: ReadonlyMap<string, Value>;
    prepared: string;
    vae: string;
    statistics: { mean: number[]; deviation: number[] };
  },
): Promise<void> {
  for (const component of JOINT_COMPONENTS) {
    const folder = componentFolder(target, component);
    await copyFolder(componentFolder(parts.prepared, component), folder);
    const tensors = [...parts.weights].flatMap(([name, value]) =>
      name.startsWith(`${component}.`)
        ? [
            {
              name: checkpointName(component, name.slice(component.length + 1)),
              dtype: 'F16' as const,
              shape: [...value.shape],
              data: floats(value),
            },
          ]
        : [],
    );
    await writeSafetensors(weightsFile(target, component), tensors, { format: 'pt' });
  }
  await copyFolder(
    path.join(parts.prepared, 'hunyuan_clip', 'tokenizer'),
    path.join(target, 'hunyuan_clip', 'tokenizer'),
  );
  await copyFolder(path.join(parts.vae, 'vae'), path.join(target, 'vae'));
  await normalisedVaeConfig(path.join(target, 'vae', 'config.json'), parts.statistics);
  await mkdir(path.join(target, 'scheduler'), { recursive: true });
  await writeJson(path.join(target, 'scheduler', 'scheduler_config.json'), {
    _class_name: 'FlowMatchDiscreteScheduler',
    _diffusers_version: '0.31.0',
    device: null,
    num_train_timesteps: 1000,
    reverse: false,
    solver: 'euler',
  });
  await writeJson(path.join(target, 'model_index.json'), {
    _class_name: 'StepVideoPipeline',
    _diffusers_version: '0.31.0',
    scheduler: ['stepvideo', 'FlowMatchDiscreteScheduler'],
    transformer: ['stepvideo', 'StepVideoModel'],
  });
  await writeJson(path.join(target, 'step_video.json'), { preset: 'mini' });
}

/** The latents that the denoiser sees have mean 0 and deviation 1 in each channel; the VAE's config says how. */
async function normalisedVaeConfig(file: string, statistics: { mean: number[]; deviation: number[] }): Promise<void> {
  const config = JSON.parse(await readFile(file, 'utf8')) as object;
  const rounded = (values: number[]): number[] => values.map((v) => Number(v.toPrecision(6)));
  await writeJson(file, {
    ...config,
    latents_mean: rounded(statistics.mean),
    latents_std: rounded(statistics.deviation),
  });
}

async function copyFolder(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true }))
    if (entry.isFile()) await copyFile(path.join(from, entry.name), path.join(to, entry.name));
}

const writeJson = (file: string, value: object): Promise<void> =>
  writeFile(file, `${JSON.stringify(value, null, 2)}\n`);
