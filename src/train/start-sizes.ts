/**
 * The sizes of a model that a run starts from, as a config would spell them. Reads its configs; loads no weights.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { checkpointError } from '../errors.ts';
import { componentFolder, openComponent } from '../weights/checkpoint.ts';
import { type Component, parseConfig } from '../weights/component-config.ts';

/** Sizes of the VAE in model directory `start`. */
export async function vaeSizes(start: string) {
  const { config, source } = await openComponent(start, 'vae');
  await source.close();
  const { encoder, decoder, z_channels, channels, num_groups } = config;
  return { encoder, decoder, z_channels, channels, num_groups };
}

/** Configs of the networks that train together, as they stand in model directory `start`. */
export async function jointSizes(start: string) {
  const [transformer, step_llm, hunyuan_clip] = await Promise.all(
    (['transformer', 'step_llm', 'hunyuan_clip'] as const).map((component) => rawConfig(start, component)),
  );
  const clipTokens = parseConfig('hunyuan_clip', hunyuan_clip, start).max_position_embeddings;
  return { transformer: transformer!, step_llm: step_llm!, hunyuan_clip: hunyuan_clip!, clipTokens };
}

/** With the fields that only others read. */
export async function rawConfig(start: string, component: Component): Promise<Record<string, unknown>> {
  const file = path.join(componentFolder(start, component), 'config.json');
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  } catch (cause) {
    throw checkpointError(`train ${start}`, `${file} must be readable JSON`, (cause as Error).message);
  }
}
