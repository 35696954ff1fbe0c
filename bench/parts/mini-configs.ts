/**
 * Sizes of the mini model, read from the configs that it is trained with, so that benches cannot drift away from it.
 */
import { fileURLToPath } from 'node:url';
import { internalError } from '../../src/errors.ts';
import { type DitTraining, readTrainingConfig, type TrainingConfig, type VaeTraining } from '../../src/train/config.ts';
import { parseConfig, type TransformerConfig } from '../../src/weights/component-config.ts';

/** The last stage that trains denoiser and text encoders. */
export const ditRun = (): Promise<DitTraining> => readRun('dit-3-tuned', 'dit');

/** The stage that trains the whole VAE on clips. */
export const vaeRun = (): Promise<VaeTraining> => readRun('vae-2-video', 'vae');

export const transformerOf = ({ model }: DitTraining): TransformerConfig =>
  parseConfig('transformer', model.transformer, 'transformer');

async function readRun<S extends TrainingConfig['stage']>(
  name: string,
  stage: S,
): Promise<Extract<TrainingConfig, { stage: S }>> {
  const file = fileURLToPath(new URL(`../../runs/${name}.json`, import.meta.url));
  const config = await readTrainingConfig(file);
  if (config.stage !== stage) throw internalError('bench', `${file} must be of stage ${stage}`, config.stage);
  return config as Extract<TrainingConfig, { stage: S }>;
}
