/**
 * One training step of the denoiser (without text encoders) and of the VAE, at the sizes, batches and optimizers of the
 * mini model's own runs: forward and backward pass, then the update. Random data, float32.
 * The update's arithmetic is not counted, so only forward and backward have a rate.
 *
 *   npm run bench -- train-step [--rounds 5] [--threads N] [--tiny]
 */
import { gaussian } from '../src/diffusion/noise.ts';
import { ditVelocity } from '../src/dit/model.ts';
import { TIMESTEP_CHANNELS } from '../src/dit/timestep.ts';
import { flopsOf } from '../src/machine/graph-flops.ts';
import { Scope } from '../src/nn/scope.ts';
import { compile } from '../src/runtime/compile.ts';
import { float32, type Value } from '../src/runtime/value.ts';
import { add, grad, input, mean, mul, reachable, sizeOf, square, sub, type Tensor } from '../src/tensor/index.ts';
import type { TrainingConfig } from '../src/train/config.ts';
import { createOptimizer } from '../src/train/optimizer.ts';
import { initialValues, trainedParameters } from '../src/train/parameters.ts';
import { gradientL1, multiscaleL1 } from '../src/train/vae-loss.ts';
import { decoder } from '../src/vae/decoder.ts';
import { encoder } from '../src/vae/encoder.ts';
import { klDivergence, samplePosterior, splitMoments } from '../src/vae/posterior.ts';
import { benchFlags } from './parts/flags.ts';
import { type Contender, interleave } from './parts/interleave.ts';
import { ditRun, transformerOf, vaeRun } from './parts/mini-configs.ts';
import { peakMegabytes, report, timingRow } from './parts/report.ts';
import { matmulYardstick } from './parts/yardstick.ts';

const flags = benchFlags({ rounds: 5 });
const device = 'cpu' as const;
const { threads } = flags;

type Loss = { name: string; scope: Scope; loss: Tensor; config: TrainingConfig };
type TrainingStep = { contenders: Contender[]; dispose(): Promise<void> };

const steps = [await trainingStep(await denoiserLoss()), await trainingStep(await vaeLoss())];
const yardstick = await matmulYardstick({ size: flags.tiny ? 128 : 1024, threads });
const timings = await interleave(
  steps.flatMap(({ contenders }) => contenders),
  { yardstick, rounds: flags.rounds },
);
for (const { dispose } of [...steps, yardstick]) await dispose();
report('train-step', timings.map(timingRow), {
  rounds: flags.rounds,
  threads: threads ?? 'all',
  tiny: flags.tiny,
  peakMB: peakMegabytes(),
});

/** Flow matching on one batch of clip latents (17 frames of 128x128). */
async function denoiserLoss(): Promise<Loss> {
  const config = await ditRun();
  const whole = transformerOf(config);
  const model = flags.tiny ? { ...whole, num_attention_heads: 1, num_layers: 1 } : whole;
  const batch = flags.tiny ? 1 : config.buckets[0]!.batch;
  const shape = [batch, 3, model.in_channels, 8, 8];
  const scope = new Scope({ training: true });
  const [llmWidth, clipWidth] = [config.model.step_llm.hidden_size, config.model.hunyuan_clip.hidden_size].map(Number);
  const { clipTokens } = config.model;
  const velocity = ditVelocity(
    scope.at('transformer'),
    model,
    'primitive',
  )({
    latents: input('latents', shape),
    timestep: input('timestep', [batch, TIMESTEP_CHANNELS]),
    llm: input('llm', [batch, config.textTokens, llmWidth!]),
    clip: input('clip', [batch, clipTokens, clipWidth!]),
    textBias: input('textBias', [batch, clipTokens + config.textTokens]),
  });
  return { name: `dit, ${batch} clips`, scope, loss: mean(square(sub(velocity, input('target', shape)))), config };
}

/** Reconstruction of one batch of crops, with all terms of the run's loss. */
async function vaeLoss(): Promise<Loss> {
  const config = await vaeRun();
  const bucket = config.buckets[0]!;
  const [batch, side] = flags.tiny ? [1, 32] : [bucket.batch, bucket.crop ?? 128];
  const scope = new Scope({ training: true });
  const pixels = input('pixels', [batch, bucket.frames, 3, side, side]);
  const moments = encoder(scope.at('encoder'), config.model, 'primitive')(pixels);
  const noise = input('noise', splitMoments(moments).mean.shape);
  const video = decoder(scope.at('decoder'), config.model, { form: 'primitive' })(samplePosterior(moments, noise));
  const { scales, gradient, kl } = config.loss;
  const loss = [
    multiscaleL1(video, pixels, scales),
    mul(gradientL1(video, pixels), gradient),
    mul(klDivergence(moments), (kl * batch) / sizeOf(noise.shape)),
  ].reduce((a, b) => add(a, b));
  return { name: `vae, ${batch} x ${bucket.frames} frames ${side}x${side}`, scope, loss, config };
}

/** As the trainer has it: one session for loss and gradients, another for the update in place. */
async function trainingStep({ name, scope, loss, config }: Loss): Promise<TrainingStep> {
  const values = initialValues(scope.specs, 1);
  const average = config.ema !== undefined;
  const parameters = trainedParameters(scope.specs, values, { groups: config.groups, average });
  const gradients = grad(
    loss,
    parameters.map((p) => scope.tensors.get(p.name)!),
  );
  const outputs = { loss, ...Object.fromEntries(parameters.map((p, i) => [`gradient:${p.name}`, gradients[i]!])) };
  const into = Object.fromEntries(parameters.map((p) => [`gradient:${p.name}`, p.gradient]));
  const backward = await compile<string>(outputs, { device, threads });
  const optimizer = await createOptimizer(parameters, { device, threads, averageDecay: config.ema });
  const feeds: Record<string, Value> = Object.fromEntries(values);
  for (const leaf of reachable([loss])) {
    const { op, attributes, shape } = leaf;
    if (op !== 'Input') continue;
    feeds[String(attributes.name)] = float32(gaussian({ seed: 2, length: sizeOf(shape) }), shape);
  }
  let step = 0;
  // A small factor: random data must not drive the weights out of range while they are timed.
  const update = (): Promise<void> => optimizer.step({ rate: 1e-3, clip: 1, step: ++step });
  return {
    contenders: [
      {
        name: `${name}: forward + backward`,
        flops: flopsOf(Object.values(outputs)),
        run: () => backward.run(feeds, into),
      },
      { name: `${name}: update`, run: update },
    ],
    dispose: async () => {
      await Promise.all([backward.dispose(), optimizer.dispose()]);
    },
  };
}
