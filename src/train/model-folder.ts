/**
 * A small model's directory in the official layout: configs, tokenizers built from captions, weights of each component.
 * Does not train and does not know losses.
 */
import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ClipSource } from '../data/clip-source.ts';
import { PRESET_FILE, PRESETS } from '../presets.ts';
import { buildVocabularies, type VocabularySizes } from '../prompt/build-vocabulary.ts';
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
import { keepStatistics, type LatentStatistics } from './latent-statistics.ts';
import { rawConfig } from './start-sizes.ts';

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

/**
 * Writes tokenizers and every config into `folder`. The tokenizers are those of model directory `words`, which may be
 * `folder` itself, or are built of the captions where there is none; the vocabularies' sizes are theirs.
 */
export async function prepareFolder(
  folder: string,
  config: DitTraining,
  { vocabulary, words }: { vocabulary: ClipSource['vocabulary']; words: string | undefined },
): Promise<JointConfigs> {
  const sizes =
    words === undefined
      ? await buildVocabularies(vocabulary.corpus(), folder, {
          cjkWords: vocabulary.chineseWords(),
          maxLength: config.model.clipTokens,
        })
      : await takeVocabularies(words, folder);
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

/** The folder and the file that say which token an id is. */
const CLIP_WORDS = path.join('hunyuan_clip', 'tokenizer');
const LLM_WORDS = path.join('step_llm', 'step1_chat_tokenizer.model');

/** Tokenizers of model directory `from` for `to`, and the sizes of its tables. */
async function takeVocabularies(from: string, to: string): Promise<VocabularySizes> {
  const { padded_vocab_size: llm } = parseConfig('step_llm', await rawConfig(from, 'step_llm'), from);
  const { vocab_size: clip } = parseConfig('hunyuan_clip', await rawConfig(from, 'hunyuan_clip'), from);
  if (path.resolve(from) !== path.resolve(to)) {
    await copyFolder(path.join(from, CLIP_WORDS), path.join(to, CLIP_WORDS));
    await mkdir(path.dirname(path.join(to, LLM_WORDS)), { recursive: true });
    await copyFile(path.join(from, LLM_WORDS), path.join(to, LLM_WORDS));
  }
  return { llm, clip };
}

/** Writes the joint weights (float16) and the files around them, beside a copy of the VAE. */
export async function saveFolder(
  target: string,
  parts: {
    weights: ReadonlyMap<string, Value>;
    prepared: string;
    vae: string;
    fps: number;
    /** Of the longest clips that it learned, which it makes unless told. */
    frames: number;
    statistics: LatentStatistics;
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
  await copyFolder(path.join(parts.prepared, CLIP_WORDS), path.join(target, CLIP_WORDS));
  await copyFolder(path.join(parts.vae, 'vae'), path.join(target, 'vae'));
  await keepStatistics(target, parts.statistics);
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
  const { fps, frames } = parts;
  const defaults = {
    ...(fps !== PRESETS.mini.fps && { fps }),
    ...(frames !== PRESETS.mini.frames && { frames }),
  };
  await writeJson(path.join(target, PRESET_FILE), {
    preset: 'mini',
    ...(Object.keys(defaults).length > 0 && { defaults }),
  });
}

async function copyFolder(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true }))
    if (entry.isFile()) await copyFile(path.join(from, entry.name), path.join(to, entry.name));
}

const writeJson = (file: string, value: object): Promise<void> =>
  writeFile(file, `${JSON.stringify(value, null, 2)}\n`);
