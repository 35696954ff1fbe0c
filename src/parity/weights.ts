/**
 * The weights that a recorded set was made with: a component's folder or a weight file, named by the set. Does not know models.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { checkComponent, findWeights, type OpenedComponent, openComponentFile } from '../weights/checkpoint.ts';
import type { Component } from '../weights/component-config.ts';
import type { RecordedSet } from './vectors.ts';

/** Where a set's weights are if it does not say. */
const USUAL: { readonly [C in Component]: string } = {
  transformer: 'checkpoint/transformer',
  vae: 'checkpoint/vae',
  step_llm: 'checkpoint/step_llm',
  hunyuan_clip: 'checkpoint/hunyuan_clip/clip_text_encoder',
};

/**
 * Opens the component of a set, checked to hold exactly the tensors of its config; it closes with the set. The set's own config counts,
 * but for the VAE, whose recorded one leaves sizes out: there shapes tell them, and the set no more than its group count.
 */
export async function openSetComponent<C extends Component>(
  recorded: RecordedSet,
  component: C,
): Promise<OpenedComponent<C>> {
  const { dir, info } = recorded;
  const path = join(dir, info.weights ?? USUAL[component]);
  const file = (await stat(path).catch(() => undefined))?.isDirectory() ? await findWeights(path, component) : path;
  const opened = await openComponentFile(file, component, component === 'vae' ? undefined : info.config);
  recorded.alsoClose(opened.source);
  const groups = info.config?.num_groups;
  const config =
    component === 'vae' && typeof groups === 'number' ? { ...opened.config, num_groups: groups } : opened.config;
  checkComponent({ ...opened, config });
  return { ...opened, config };
}
