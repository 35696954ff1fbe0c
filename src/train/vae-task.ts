/**
 * Training the Video-VAE on clips made on the fly: batches, loss graphs, validation by PSNR on held-out combinations.
 * Knows emoji world's sampler and the VAE; the loop is the trainer's.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { clipSampler } from '../data/clips.ts';
import { loadWorld, type World } from '../data/world.ts';
import { gaussian } from '../diffusion/noise.ts';
import { psnr, ssim } from '../eval/quality.ts';
import { Scope } from '../nn/scope.ts';
import { compile } from '../runtime/compile.ts';
import type { Device } from '../runtime/device.ts';
import { float32, floats, type Value, type Values } from '../runtime/value.ts';
import { add, input, mul, sizeOf, type Tensor } from '../tensor/index.ts';
import { klDivergence, samplePosterior, splitMoments } from '../vae/posterior.ts';
import { contactSheet } from '../video/contact-sheet.ts';
import { framesFromDecoded } from '../video/pixels.ts';
import { checkpointName, openComponent } from '../weights/checkpoint.ts';
import { writeSafetensors } from '../weights/safetensors.ts';
import { type Autoencoder, autoencoder, CORE } from './autoencoder.ts';
import { clipsToPixels, PICTURE } from './clip-pixels.ts';
import type { VaeTraining } from './config.ts';
import { replaceFolder, writingErrors } from './disk.ts';
import { fitPreview } from './fit-preview.ts';
import type { Bucket } from './gradients.ts';
import { initialValues, loadValues } from './parameters.ts';
import type { Task } from './trainer.ts';
import { gradientL1, l1, multiscaleL1, temporalL1 } from './vae-loss.ts';
import { adversarialTerm, perceptualTerm, type TermOf } from './vae-terms.ts';

/** Streams of the noise generator; clips have their own. */
const NOISE_STREAM = 7;

/** Encoder, decoder, clips and losses of a VAE run; reads the world and the start weights. */
export async function vaeTask(config: VaeTraining, device: Device): Promise<Task> {
  const world = await loadWorld(config.data);
  const scope = new Scope({ training: true });
  const networks = autoencoder(scope, config, { form: 'primitive' });
  const { perceptual, adversarial } = config.loss;
  const opposed = adversarial && adversarialTerm(adversarial, config);
  const terms = [...(perceptual ? [await perceptualTerm(perceptual)] : []), ...(opposed ? [opposed.term] : [])];
  const buckets = config.buckets.map((_, i) => bucket({ config, world, index: i, networks, scope, terms }));
  const values = await startValues(config, scope);
  return {
    specs: scope.specs,
    tensors: scope.tensors,
    values,
    buckets: async () => buckets,
    validate: (weights, folder, step) => validate({ config, world, device }, weights, { folder, step }),
    save: (weights, folder) =>
      replaceFolder(folder, async (part) => {
        await save(config, weights, part);
        const { previewClips: clips, threads } = config;
        if (clips > 0 && config.core === undefined) await fitPreview(part, { world, clips, device, threads });
      }),
    ...(opposed && { adversary: opposed.adversary() }),
  };
}

/** Weights of the start where there is one, the core's own fresh in any case. */
async function startValues(config: VaeTraining, scope: Scope): Promise<Map<string, Value>> {
  const values = initialValues(scope.specs, config.seed);
  const bias = (name: string): Float32Array => floats(values.get(name));
  bias('encoder.conv_out.conv.bias').fill(config.logVariance, config.model.z_channels);
  if (config.core) bias(`${CORE}.encoder.bias`).fill(config.logVariance, config.core.z_channels);
  if (config.start === undefined) return values;
  const { source } = await openComponent(config.start, 'vae');
  const stored = new Map([...scope.specs].filter(([name]) => isStored(name)));
  const started = await loadValues(stored, source).finally(() => source.close());
  return new Map([...values, ...started]);
}

/** Whether a weight is one of a VAE's checkpoint. */
const isStored = (name: string): boolean => !name.startsWith(`${CORE}.`);

function bucket(parts: {
  config: VaeTraining;
  world: World;
  index: number;
  networks: Autoencoder;
  scope: Scope;
  terms: readonly TermOf[];
}): Bucket {
  const { config, world, index } = parts;
  const { frames, crop, batch, weight, flat } = config.buckets[index]!;
  const size = crop ?? PICTURE;
  const pixels = input('pixels', [batch, frames, 3, size, size]);
  const kept: Tensor[] = [];
  const keep = (_: string, features: Tensor): void => void kept.push(features);
  const moments = parts.networks.encode(pixels, keep);
  const noise = input('noise', splitMoments(moments).mean.shape);
  const decode = flat
    ? autoencoder(parts.scope.reused(), config, { form: 'primitive', flat }).decode
    : parts.networks.decode;
  const reconstruction = decode(samplePosterior(moments, noise), keep);
  const kl = mul(klDivergence(moments), batch / sizeOf(noise.shape));
  const terms = parts.terms.map((term) => term({ index, reconstruction, pixels }));
  const loss = [
    multiscaleL1(reconstruction, pixels, config.loss.scales),
    mul(gradientL1(reconstruction, pixels), config.loss.gradient),
    ...(frames > 1 && config.loss.temporal > 0 ? [mul(temporalL1(reconstruction, pixels), config.loss.temporal)] : []),
    mul(kl, config.loss.kl),
    ...terms.map(({ weighted }) => weighted),
  ].reduce((a, b) => add(a, b));
  const sampler = clipSampler({
    world,
    seed: config.seed * 1000 + index,
    frames: frames === 1 ? 17 : frames,
    stills: frames === 1,
    ...(crop !== undefined && { crop }),
  });
  return {
    name: `${frames}x${size}`,
    weight,
    samples: batch,
    losses: { loss, l1: l1(reconstruction, pixels), kl, ...Object.fromEntries(terms.map((t) => [t.name, t.figure])) },
    kept,
    made: Object.assign({}, ...terms.map(({ made }) => made)) as Record<string, Tensor>,
    take: (micro, made) => {
      for (const term of terms) term.take?.(micro, made);
    },
    batch(step, micro): Values {
      const first = (step * config.accumulate + micro) * batch;
      const clips = Array.from({ length: batch }, (_, i) => sampler.clip(first + i));
      const length = sizeOf(noise.shape);
      return {
        pixels: float32(clipsToPixels(clips), pixels.shape),
        noise: float32(
          gaussian({ seed: config.seed, length, offset: first * length, stream: NOISE_STREAM + index }),
          noise.shape,
        ),
        ...Object.assign({}, ...terms.map((term) => term.feeds(step))),
      };
    },
  };
}

type Validation = { config: VaeTraining; world: World; device: Device };
const VALIDATION_CLIPS = 6;

/** PSNR and SSIM of reconstructions from means: held-out combinations of trained subjects (the score), and unseen subjects. */
async function validate(
  { config, world, device }: Validation,
  weights: ReadonlyMap<string, Value>,
  at: { folder: string; step: number },
): Promise<{ score: number; figures: Record<string, number> }> {
  const stills = config.buckets.every((b) => b.frames === 1);
  const frames = stills ? 1 : 17;
  const count = stills ? 4 * VALIDATION_CLIPS : VALIDATION_CLIPS;
  const scope = new Scope();
  const pixels = input('pixels', [1, frames, 3, PICTURE, PICTURE]);
  const { encode, decode } = autoencoder(scope, config, { form: 'fused' });
  const decoded = decode(splitMoments(encode(pixels)).mean);
  const executable = await compile({ decoded }, { device, threads: config.threads });
  const feeds = Object.fromEntries(weights);
  const score = async (role: 'trained' | 'unseen'): Promise<{ psnr: number; ssim: number; rows: Uint8Array[] }> => {
    const scenes = role === 'trained' ? { role, split: 'held-out' as const } : { role, split: 'any' as const };
    const sampler = clipSampler({ world, seed: 99, frames: 17, stills, scenes });
    const rows: Uint8Array[] = [];
    let [totalPsnr, totalSsim] = [0, 0];
    for (let i = 0; i < count; i++) {
      const clip = sampler.clip(i);
      const result = await executable.run({ ...feeds, pixels: float32(clipsToPixels([clip]), pixels.shape) });
      const out = framesFromDecoded(floats(result.decoded), { frames, height: PICTURE, width: PICTURE });
      const size = PICTURE * PICTURE * 3;
      const real = Array.from({ length: frames }, (_, t) => clip.pixels.subarray(t * size, (t + 1) * size));
      totalPsnr += psnr(clip.pixels, Buffer.concat(out)) / count;
      totalSsim +=
        out.reduce((s, f, t) => s + ssim(real[t]!, f, { width: PICTURE, height: PICTURE }), 0) / frames / count;
      const shown = stills ? [0] : [0, 8, 16];
      if (rows.length < 36) for (const t of shown) rows.push(real[t]!, out[t]!);
    }
    return { psnr: totalPsnr, ssim: totalSsim, rows };
  };
  const trained = await score('trained');
  const unseen = await score('unseen');
  await executable.dispose();
  const sheet = path.join(at.folder, 'samples', `step-${String(at.step).padStart(6, '0')}.png`);
  const size = { width: PICTURE, height: PICTURE, columns: 6 };
  await writingErrors(at.folder, () =>
    contactSheet([...trained.rows, ...unseen.rows.slice(0, 12)], { ...size, path: sheet }),
  );
  return { score: trained.psnr, figures: { ssim: trained.ssim, unseen: unseen.psnr, unseenSsim: unseen.ssim } };
}

/** Writes `vae/vae_v2.safetensors` (float16) and its config, as a model directory has them. */
async function save(config: VaeTraining, weights: ReadonlyMap<string, Value>, folder: string): Promise<void> {
  const target = path.join(folder, 'vae');
  await mkdir(target, { recursive: true });
  const stored = [...weights].filter(([name]) => isStored(name));
  const tensors = stored.map(([name, value]) => ({
    name: checkpointName('vae', name),
    dtype: 'F16' as const,
    shape: [...value.shape],
    data: floats(value),
  }));
  await writeSafetensors(path.join(target, 'vae_v2.safetensors'), tensors, { format: 'pt' });
  await writeFile(path.join(target, 'config.json'), `${JSON.stringify(config.model, null, 2)}\n`);
}
