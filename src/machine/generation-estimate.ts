/**
 * How much arithmetic a model's default video is, by its graphs, and the least time that a rate gives for it. Reads configs,
 * loads no weights.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { needsUnconditional } from '../diffusion/guidance.ts';
import { latentShape } from '../latents.ts';
import { modelDirectory } from '../model-directory.ts';
import { presetOf } from '../presets.ts';
import { componentFolder } from '../weights/checkpoint.ts';
import { type Component, type ComponentConfigs, parseConfig } from '../weights/component-config.ts';
import { decodeFlops, velocityFlops } from './graph-flops.ts';

export type Estimate = {
  model: string;
  /** Such as `17 frames of 128x128, 24 steps`. */
  video: string;
  /** Denoising and decoding; text encoding is small beside them. */
  flops: number;
  /** All of it at the given rate, which small networks do not reach: no run is faster. */
  leastSeconds: number;
};

/** Tokens of a prompt of ordinary length, and the padded length of CLIP. */
const TEXT = { llm: 24, clip: 77 };

/** Estimate for the default video of the shipped model at `flopsPerSecond`; undefined where no model is shipped. */
export async function estimateGeneration(flopsPerSecond: number): Promise<Estimate | undefined> {
  const model = 'mini';
  let directory: string;
  try {
    directory = modelDirectory(model);
  } catch {
    return undefined;
  }
  const { steps, guidanceScale, ...size } = presetOf(directory);
  const transformer = await configOf(directory, 'transformer');
  const vae = await configOf(directory, 'vae');
  const shape = latentShape(size, transformer.in_channels);
  const batch = needsUnconditional(guidanceScale) ? 2 : 1;
  const flops = steps * velocityFlops(transformer, { batch, shape, text: TEXT }) + decodeFlops(vae, shape);
  const video = `${size.frames} frames of ${size.height}x${size.width}, ${steps} steps`;
  return { model, video, flops, leastSeconds: flops / flopsPerSecond };
}

async function configOf<C extends Component>(directory: string, component: C): Promise<ComponentConfigs[C]> {
  const file = path.join(componentFolder(directory, component), 'config.json');
  return parseConfig(component, JSON.parse(await readFile(file, 'utf8')), file);
}
