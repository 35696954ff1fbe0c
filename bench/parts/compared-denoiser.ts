/**
 * The denoiser as both sides of a comparison: one velocity, and one training step (forward, backward, AdamW).
 * Knows the official names and arguments; does not know how the other side runs.
 */
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { gaussian } from '../../src/diffusion/noise.ts';
import { loadDit } from '../../src/dit/load.ts';
import { ditVelocity } from '../../src/dit/model.ts';
import { TIMESTEP_CHANNELS, timestepSinusoid } from '../../src/dit/timestep.ts';
import type { LatentShape } from '../../src/latents.ts';
import { flopsOf, velocityFlops } from '../../src/machine/graph-flops.ts';
import { Scope } from '../../src/nn/scope.ts';
import { float32, type Value } from '../../src/runtime/value.ts';
import { input, mean, sizeOf, square, sub } from '../../src/tensor/index.ts';
import { componentFolder, openComponent } from '../../src/weights/checkpoint.ts';
import { parseConfig, type TransformerConfig } from '../../src/weights/component-config.ts';
import { QUANTIZED_FORMS, type Scheme } from '../../src/weights/quantization.ts';
import { quantizeComponent } from '../../src/weights/quantize-component.ts';
import type { PeerModel } from './pytorch-peer.ts';
import { randomDit, scatteredValues } from './random-checkpoint.ts';
import { trainingStep } from './training-step.ts';

export type Comparison = {
  readonly peer: PeerModel;
  readonly flops: number;
  /** One run of ours, and its result. */
  run(): Promise<Float32Array>;
  dispose(): Promise<void>;
};

export type DenoiserSize = {
  readonly width: number;
  readonly layers: number;
  readonly frames: number;
  /** Rows and columns of latents. */
  readonly side: number;
  readonly batch?: number;
  /** Ours with quantized weights; the other side keeps float32. */
  readonly scheme?: Scheme;
  readonly threads: number;
};

const CHANNELS = 32;
const TEXT = { llm: 64, clip: 77 } as const;
const TEXT_WIDTH = 128;

const normal = (shape: readonly number[], stream: number): Value =>
  float32(gaussian({ seed: 1, length: sizeOf(shape), stream }), shape);

function configOf({ width, layers }: DenoiserSize): TransformerConfig {
  const sizes = { num_attention_heads: width / 64, attention_head_dim: 64, num_layers: layers, norm_eps: 1e-6 };
  const channels = { in_channels: CHANNELS, out_channels: CHANNELS, caption_channels: [TEXT_WIDTH, TEXT_WIDTH] };
  return parseConfig('transformer', { ...sizes, ...channels, patch_size: 1, rope_ch_split: [32, 16, 16] }, 'bench');
}

function inputsOf({ frames, side, batch = 1 }: DenoiserSize) {
  const shape: LatentShape = { frames, channels: CHANNELS, height: side, width: side };
  const inputs = {
    latents: normal([batch, frames, CHANNELS, side, side], 1),
    llm: normal([batch, TEXT.llm, TEXT_WIDTH], 2),
    clip: normal([batch, TEXT.clip, TEXT_WIDTH], 3),
  };
  // The official model takes one mask over both texts, CLIP's positions first.
  const peer = {
    ...inputs,
    t: float32(new Float32Array(batch).fill(0.5), [batch]),
    mask: float32(new Float32Array(batch * (TEXT.clip + TEXT.llm)).fill(1), [batch, TEXT.clip + TEXT.llm]),
  };
  return { shape, batch, inputs, peer };
}

/** One velocity, loaded as users load it. */
export async function denoiser(size: DenoiserSize): Promise<Comparison> {
  const config = configOf(size);
  const { shape, batch, inputs, peer } = inputsOf(size);
  const scope = new Scope();
  ditVelocity(scope, config, 'fused');
  const checkpoint = await randomDit(config, 'F32');
  if (size.scheme !== undefined) await quantizeTransformer(checkpoint.directory, size.scheme);
  const dit = await loadDit(checkpoint.directory, { device: 'cpu', threads: size.threads });
  const { llm, clip } = inputs;
  const lengths = new Array<number>(batch).fill(TEXT.llm);
  const call = { latents: inputs.latents.data as Float32Array, batch, shape, t: 0.5, text: { llm, clip, lengths } };
  const tokens = size.frames * size.side ** 2;
  return {
    peer: {
      name: `dit step, d ${size.width} x ${size.layers}, ${tokens} tokens${size.scheme ? `, ${size.scheme}` : ''}`,
      kind: 'dit',
      config,
      weights: scatteredValues(scope),
      inputs: peer,
    },
    flops: velocityFlops(config, { batch, shape, text: TEXT }),
    run: () => dit.velocity(call),
    async dispose() {
      await dit.close();
      await checkpoint.remove();
    },
  };
}

/** Replaces the transformer in `directory` by its quantized form. */
async function quantizeTransformer(directory: string, scheme: Scheme): Promise<void> {
  const { source } = await openComponent(directory, 'transformer');
  const folder = componentFolder(directory, 'transformer');
  const quantized = path.join(directory, 'quantized');
  await mkdir(quantized);
  await quantizeComponent(quantized, { component: 'transformer', source, form: QUANTIZED_FORMS[scheme] });
  await source.close();
  await copyFile(path.join(folder, 'config.json'), path.join(quantized, 'config.json'));
  await rm(folder, { recursive: true });
  await rename(quantized, folder);
}

/** Flow matching by mean squared error, all weights by AdamW. */
export async function denoiserTraining(size: DenoiserSize): Promise<Comparison> {
  const config = configOf(size);
  const { batch, inputs, peer } = inputsOf(size);
  const scope = new Scope({ training: true });
  const target = normal(inputs.latents.shape, 4);
  const velocity = ditVelocity(
    scope,
    config,
    'primitive',
  )({
    latents: input('latents', inputs.latents.shape),
    timestep: input('timestep', [batch, TIMESTEP_CHANNELS]),
    llm: input('llm', inputs.llm.shape),
    clip: input('clip', inputs.clip.shape),
    textBias: input('textBias', [batch, TEXT.clip + TEXT.llm]),
  });
  const loss = mean(square(sub(velocity, input('target', target.shape))));
  const values = scatteredValues(scope);
  const weights = new Map(
    [...values].map(([name, value]) => [name, float32((value.data as Float32Array).slice(), value.shape)]),
  );
  const step = await trainingStep({ scope, loss, values, threads: size.threads });
  const timestep = float32(timestepSinusoid(new Array<number>(batch).fill(0.5)), [batch, TIMESTEP_CHANNELS]);
  const textBias = float32(new Float32Array(batch * (TEXT.clip + TEXT.llm)), [batch, TEXT.clip + TEXT.llm]);
  const feeds = { ...inputs, timestep, textBias, target };
  return {
    peer: {
      name: `dit training step, d ${size.width} x ${size.layers}, batch ${batch}`,
      kind: 'dit-train',
      config,
      weights,
      inputs: { ...peer, target },
    },
    flops: flopsOf(step.graph),
    run: () => step.run(feeds),
    dispose: step.dispose,
  };
}
