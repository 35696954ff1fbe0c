/**
 * The networks of a checkpoint as costs: each one's stages at the sizes of a request. Composes the stages' own graphs; every block
 * of a network costs what its first does.
 */
import { ditStages } from '../dit/stages.ts';
import { TIMESTEP_CHANNELS } from '../dit/timestep.ts';
import type { LatentShape } from '../latents.ts';
import { Scope } from '../nn/scope.ts';
import { graphCost, type StageCost, type StoredSizes, stageCosts } from '../runtime/stage-cost.ts';
import { type AttentionForm, input } from '../tensor/index.ts';
import { clipStages, stepLlmStages } from '../text/stages.ts';
import { latentChunks } from '../vae/chunks.ts';
import { decoder } from '../vae/decoder.ts';
import type { OpenedComponent } from '../weights/checkpoint.ts';
import type { Component } from '../weights/component-config.ts';
import { storedBytes, type TensorSource } from '../weights/tensor-entry.ts';

/** One network at one size. */
export type NetworkCost = {
  readonly component: Component;
  readonly stages: readonly StageCost[];
  /** Bytes of its weights as stored. */
  readonly weights: number;
  /** Runs of the whole chain in one generation. */
  readonly runs: number;
};

/** Sizes that decide what networks cost. `text` has the positions of each encoder. */
export type Sizes = {
  readonly batch: number;
  readonly shape: LatentShape;
  readonly steps: number;
  readonly text: { readonly llm: number; readonly clip: number };
};

export type Components = { readonly [C in Component]: OpenedComponent<C> };

const storedIn =
  (source: TensorSource): StoredSizes =>
  (name) => {
    const entry = source.tensors.get(name);
    if (entry === undefined) return { bytes: 0, form: 'plain' };
    const form = entry.quantized !== undefined ? 'quantized' : entry.dtype === 'F32' ? 'plain' : 'widened';
    return { bytes: storedBytes(entry), form };
  };

const totalBytes = (source: TensorSource): number =>
  [...source.tensors.values()].reduce((sum, entry) => sum + storedBytes(entry), 0);

/** `costs` of [first, block, last …] with as many blocks as the network has. */
function repeated([first, block, ...rest]: readonly StageCost[], blocks: number): StageCost[] {
  return [first!, ...Array.from({ length: blocks }, (_, i) => ({ ...block!, name: `block ${i}` })), ...rest];
}

/** The denoiser with its tokens in pieces of `tile`. */
export function denoiserCost(
  { config, source }: OpenedComponent<'transformer'>,
  { batch, shape, steps, text }: Sizes,
  { form, tile }: { form: AttentionForm; tile?: number | undefined },
): NetworkCost {
  const { frames, channels, height, width } = shape;
  const channelsOfText = config.caption_channels;
  const [llm, clip] = typeof channelsOfText === 'number' ? [channelsOfText] : channelsOfText;
  const fed = {
    latents: [batch, frames, channels, height, width],
    timestep: [batch, TIMESTEP_CHANNELS],
    llm: [batch, text.llm, llm],
    ...(clip !== undefined && { clip: [batch, text.clip, clip] }),
    textBias: [batch, text.llm + (clip === undefined ? 0 : text.clip)],
  };
  const network = ditStages({ ...config, num_layers: 1 }, form, fed, tile);
  const costs = stageCosts(network, bytesOfShapes(Object.values(fed)), storedIn(source));
  return {
    component: 'transformer',
    stages: repeated(costs, config.num_layers),
    weights: totalBytes(source),
    runs: steps,
  };
}

export function stepLlmCost(
  { config, source }: OpenedComponent<'step_llm'>,
  { batch, text }: Sizes,
  form: AttentionForm,
): NetworkCost {
  const ids = [batch, text.llm];
  const costs = stageCosts(
    stepLlmStages({ ...config, num_layers: 1 }, form, ids),
    bytesOfShapes([ids]),
    storedIn(source),
  );
  return { component: 'step_llm', stages: repeated(costs, config.num_layers), weights: totalBytes(source), runs: 1 };
}

export function clipCost(
  { config, source }: OpenedComponent<'hunyuan_clip'>,
  { batch, text }: Sizes,
  form: AttentionForm,
): NetworkCost {
  const ids = [batch, text.clip];
  const network = clipStages({ ...config, num_hidden_layers: 1 }, form, ids);
  const costs = stageCosts(network, bytesOfShapes([ids, ids]), storedIn(source));
  const stages = repeated(costs, config.num_hidden_layers);
  return { component: 'hunyuan_clip', stages, weights: totalBytes(source), runs: 1 };
}

/** The decoder over its largest chunk, in one piece. */
export function decoderCost(
  { config, source }: OpenedComponent<'vae'>,
  { shape }: Sizes,
  form: AttentionForm,
): NetworkCost {
  const { frames, channels, height, width } = shape;
  const chunks = latentChunks(frames);
  const x = input('x', [1, Math.max(...chunks), channels, height, width]);
  const outputs = { y: decoder(new Scope().at('decoder'), config, { form })(x) };
  const cost = graphCost(outputs, storedIn(source));
  return { component: 'vae', stages: [{ name: 'decoder', ...cost }], weights: cost.weights, runs: chunks.length };
}

const bytesOfShapes = (shapes: readonly (readonly number[])[]): number =>
  shapes.reduce((sum, shape) => sum + 4 * shape.reduce((n, d) => n * d, 1), 0);
