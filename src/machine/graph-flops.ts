/**
 * Arithmetic of the networks by their own graphs, at any size. Computes and times nothing.
 */
import { ditVelocity } from '../dit/model.ts';
import { TIMESTEP_CHANNELS } from '../dit/timestep.ts';
import type { LatentShape } from '../latents.ts';
import { Scope } from '../nn/scope.ts';
import { input, isLeaf, opDefinition, optimize, reachable, type Tensor } from '../tensor/index.ts';
import { latentChunks } from '../vae/chunks.ts';
import { decoder } from '../vae/decoder.ts';
import type { TransformerConfig, VaeConfig } from '../weights/component-config.ts';

/** Of all nodes that `outputs` reach once equal ones are shared; a multiply-add counts two. */
export const flopsOf = (outputs: readonly Tensor[]): number =>
  reachable(optimize(outputs)).reduce(
    (total, node) => total + (isLeaf(node) ? 0 : (opDefinition(node.op).flops?.(node) ?? 0)),
    0,
  );

/** Positions that each encoder gives; `clip` is not read where the config has no CLIP path. */
export type TextLengths = { readonly llm: number; readonly clip: number };

/** One velocity of `batch` samples. */
export function velocityFlops(
  config: TransformerConfig,
  { batch, shape, text }: { batch: number; shape: LatentShape; text: TextLengths },
): number {
  const { frames, channels, height, width } = shape;
  const widths = config.caption_channels;
  const [llmWidth, clipWidth] = typeof widths === 'number' ? [widths] : widths;
  const hasClip = clipWidth !== undefined;
  const velocity = ditVelocity(
    new Scope(),
    config,
    'fused',
  )({
    latents: input('latents', [batch, frames, channels, height, width]),
    timestep: input('timestep', [batch, TIMESTEP_CHANNELS]),
    llm: input('llm', [batch, text.llm, llmWidth]),
    clip: hasClip ? input('clip', [batch, text.clip, clipWidth]) : undefined,
    textBias: input('textBias', [batch, text.llm + (hasClip ? text.clip : 0)]),
  });
  return flopsOf([velocity]);
}

/** Decoding of one video, chunk by chunk. */
export const decodeFlops = (config: VaeConfig, { frames, channels, height, width }: LatentShape): number =>
  latentChunks(frames).reduce((total, length) => {
    const pixels = decoder(new Scope(), config, { form: 'fused' })(input('x', [1, length, channels, height, width]));
    return total + flopsOf([pixels]);
  }, 0);
