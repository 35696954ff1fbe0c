/**
 * The Video-VAE as both sides of a comparison: one chunk decoded, and one training step (forward, backward, AdamW).
 * Groups of 32 channels are fixed in the official code, so widths are multiples of 32.
 */
import { gaussian } from '../../src/diffusion/noise.ts';
import { decodeFlops, flopsOf } from '../../src/machine/graph-flops.ts';
import { Scope } from '../../src/nn/scope.ts';
import { float32, type Value } from '../../src/runtime/value.ts';
import { add, input, mean, mul, sizeOf, square, sub } from '../../src/tensor/index.ts';
import { decoder } from '../../src/vae/decoder.ts';
import { encoder } from '../../src/vae/encoder.ts';
import { loadVae } from '../../src/vae/load.ts';
import { klDivergence, samplePosterior, splitMoments } from '../../src/vae/posterior.ts';
import { parseConfig, type VaeConfig } from '../../src/weights/component-config.ts';
import type { Comparison } from './compared-denoiser.ts';
import { randomVae, scatteredValues } from './random-checkpoint.ts';
import { trainingStep } from './training-step.ts';

const Z = 16;
const FRAMES = 17;

const CONFIG = {
  encoder: { ch: 32, ch_mult: [1, 2, 4, 4], num_res_blocks: 2 },
  decoder: { ch: 32, ch_mult: [1, 2, 4, 4], num_res_blocks: 2 },
  z_channels: Z,
  channels: 32 * Z,
  num_groups: 32,
};

const configOf = (): VaeConfig => parseConfig('vae', CONFIG, 'bench');
const normal = (shape: readonly number[], stream: number): Value =>
  float32(gaussian({ seed: 1, length: sizeOf(shape), stream }), shape);

/** 17 frames of `side` x `side`, loaded as users load it. */
export async function decoding({ side, threads }: { side: number; threads: number }): Promise<Comparison> {
  const config = configOf();
  const scope = new Scope();
  encoder(scope.at('encoder'), config, 'fused');
  decoder(scope.at('decoder'), config, { form: 'fused' });
  const weights = new Map(
    [...scatteredValues(scope)].flatMap(([name, value]): [string, Value][] =>
      name.startsWith('decoder.') ? [[name.slice('decoder.'.length), value]] : [],
    ),
  );
  const shape = { frames: 3, channels: Z, height: side / 16, width: side / 16 };
  const latents = normal([1, 3, Z, side / 16, side / 16], 1);
  const checkpoint = await randomVae(config, 'F32');
  const vae = await loadVae(checkpoint.directory, { device: 'cpu', threads });
  return {
    peer: {
      name: `vae decode, ${FRAMES} frames ${side}x${side}`,
      kind: 'vae-decode',
      config: CONFIG,
      weights,
      inputs: { latents },
    },
    flops: decodeFlops(config, shape),
    async run() {
      const frames = new Float32Array(FRAMES * 3 * side * side);
      let at = 0;
      for await (const piece of vae.decode(latents.data as Float32Array, shape)) {
        frames.set(piece, at);
        at += piece.length;
      }
      return frames;
    },
    async dispose() {
      await vae.close();
      await checkpoint.remove();
    },
  };
}

/** Reconstruction by mean squared error and KL, all weights by AdamW. */
export async function vaeTraining({ side, threads }: { side: number; threads: number }): Promise<Comparison> {
  const config = configOf();
  const scope = new Scope({ training: true });
  const pixels = input('pixels', [1, FRAMES, 3, side, side]);
  const moments = encoder(scope.at('encoder'), config, 'primitive')(pixels);
  const noise = input('noise', splitMoments(moments).mean.shape);
  const video = decoder(scope.at('decoder'), config, { form: 'primitive' })(samplePosterior(moments, noise));
  const loss = add(mean(square(sub(video, pixels))), mul(klDivergence(moments), 1e-4 / sizeOf(noise.shape)));
  const values = scatteredValues(scope);
  const weights = new Map(
    [...values].map(([name, value]) => [name, float32((value.data as Float32Array).slice(), value.shape)]),
  );
  const step = await trainingStep({ scope, loss, values, threads });
  const feeds = { pixels: normal(pixels.shape, 1), noise: normal(noise.shape, 2) };
  return {
    peer: {
      name: `vae training step, ${FRAMES} frames ${side}x${side}`,
      kind: 'vae-train',
      config: CONFIG,
      weights,
      inputs: feeds,
    },
    flops: flopsOf(step.graph),
    run: () => step.run(feeds),
    dispose: step.dispose,
  };
}
