/**
 * Training the Video-VAE on clips: batches, loss graphs, validation by PSNR on held-out ones.
 * Knows the VAE; clips come from a source, the loop is the trainer's.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ClipSource, ClipStream } from '../data/clip-source.ts';
import { openClipSource } from '../data/open-source.ts';
import { gaussian } from '../diffusion/noise.ts';
import { internalError } from '../errors.ts';
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
import { fitPreview, PREVIEW_FRAMES } from './fit-preview.ts';
import type { Bucket } from './gradients.ts';
import { keepStatistics } from './latent-statistics.ts';
import { decodingLine, type Show } from './metrics.ts';
import { groupOf, initialValues, loadValues } from './parameters.ts';
import type { Task } from './trainer.ts';
import { gradientL1, l1, multiscaleL1, temporalL1 } from './vae-loss.ts';
import { adversarialTerm, perceptualTerm, type TermOf } from './vae-terms.ts';

/** Streams of the noise generator; clips have their own. */
const NOISE_STREAM = 7;

/** Encoder, decoder and losses of a VAE run; reads the start weights. Clips are looked at when buckets are asked for. */
export async function vaeTask(config: VaeTraining, { device, show }: { device: Device; show: Show }): Promise<Task> {
  const source = await openClipSource(config.data, {
    decode: config.decode,
    captions: false,
    onProgress: decodingLine(show),
  });
  const scope = new Scope({ training: true });
  const networks = autoencoder(scope, config, { form: 'primitive' });
  const { perceptual, adversarial } = config.loss;
  const opposed = adversarial && adversarialTerm(adversarial, config);
  const terms = [...(perceptual ? [await perceptualTerm(perceptual)] : []), ...(opposed ? [opposed.term] : [])];
  const buckets = config.buckets.map((_, i) => bucket({ config, index: i, networks, scope, terms }));
  const { values, statistics } = await startOf(config, scope);
  let held: Held | undefined;
  return {
    specs: scope.specs,
    tensors: scope.tensors,
    values,
    async buckets(signal) {
      const whole: Bucket[] = [];
      for (const [i, { batchOf, ...bucket }] of buckets.entries()) {
        const { frames, crop } = config.buckets[i]!;
        const seed = config.seed * 1000 + i;
        const stream = await source.stream({ seed, frames, part: 'train', crop, signal });
        if (stream === undefined) throw internalError('vae task', 'every source has clips to train on');
        whole.push({ ...bucket, batch: batchOf(stream) });
      }
      held = await validationStreams(config, source, signal);
      return whole;
    },
    data: () => source.report(),
    validate(weights, folder, step) {
      if (held === undefined) throw internalError('vae task', 'buckets come first');
      return validate({ config, held, device }, weights, { folder, step });
    },
    save: (weights, folder) =>
      replaceFolder(folder, async (part) => {
        await save({ ...config.model, ...statistics }, weights, part);
        const { previewClips: clips, threads } = config;
        const isPossible = config.core === undefined && (await source.longest()) >= PREVIEW_FRAMES;
        if (clips === 0 || !isPossible) return;
        const fit = await fitPreview(part, { source, clips, device, threads });
        if (statistics === undefined) await keepStatistics(part, fit.statistics);
      }),
    ...(opposed && { adversary: opposed.adversary() }),
  };
}

type Start = { values: Map<string, Value>; statistics?: { latents_mean: number[]; latents_std: number[] } };

/**
 * Weights of the start where there is one, the core's own fresh in any case; and the statistics of its latents where the
 * encoder stays as it is, so that a denoiser made for them stays good.
 */
async function startOf(config: VaeTraining, scope: Scope): Promise<Start> {
  const values = initialValues(scope.specs, config.seed);
  const bias = (name: string): Float32Array => floats(values.get(name));
  bias('encoder.conv_out.conv.bias').fill(config.logVariance, config.model.z_channels);
  if (config.core) bias(`${CORE}.encoder.bias`).fill(config.logVariance, config.core.z_channels);
  if (config.start === undefined) return { values };
  const { source, config: theirs } = await openComponent(config.start, 'vae');
  const stored = new Map([...scope.specs].filter(([name]) => isStored(name)));
  const started = await loadValues(stored, source).finally(() => source.close());
  const { latents_mean, latents_std } = theirs;
  const isKept = [...scope.specs.keys()].every(
    (name) => !name.startsWith('encoder.') || groupOf(config.groups, name)?.optimizer === 'frozen',
  );
  return {
    values: new Map([...values, ...started]),
    ...(isKept && latents_mean && latents_std && { statistics: { latents_mean, latents_std } }),
  };
}

/** Whether a weight is one of a VAE's checkpoint. */
const isStored = (name: string): boolean => !name.startsWith(`${CORE}.`);

/** A bucket that waits for its clips. */
type Graph = Omit<Bucket, 'batch'> & { batchOf(stream: ClipStream): Bucket['batch'] };

function bucket(parts: {
  config: VaeTraining;
  index: number;
  networks: Autoencoder;
  scope: Scope;
  terms: readonly TermOf[];
}): Graph {
  const { config, index } = parts;
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
    batchOf:
      (stream) =>
      async (step, micro): Promise<Values> => {
        const first = (step * config.accumulate + micro) * batch;
        const clips = await Promise.all(Array.from({ length: batch }, (_, i) => stream.clip(first + i)));
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

/** Clips that score a run, and those of subjects that it never sees, where the source has any. */
type Held = { readonly trained: ClipStream; readonly unseen: ClipStream | undefined };
type Validation = { config: VaeTraining; held: Held; device: Device };
const VALIDATION = { seed: 99, clips: 6 } as const;

const validationFrames = ({ buckets }: VaeTraining): number => Math.max(...buckets.map(({ frames }) => frames));

async function validationStreams(
  config: VaeTraining,
  source: ClipSource,
  signal: AbortSignal | undefined,
): Promise<Held> {
  const request = { seed: VALIDATION.seed, frames: validationFrames(config), signal };
  const trained = await source.stream({ ...request, part: 'held-out' });
  if (trained === undefined) throw internalError('vae task', 'every source has held-out clips');
  return { trained, unseen: await source.stream({ ...request, part: 'unseen' }) };
}

/** PSNR and SSIM of reconstructions from means: of held-out clips (the score), and of unseen subjects where there are any. */
async function validate(
  { config, held, device }: Validation,
  weights: ReadonlyMap<string, Value>,
  at: { folder: string; step: number },
): Promise<{ score: number; figures: Record<string, number> }> {
  const frames = validationFrames(config);
  const stills = frames === 1;
  const most = stills ? 4 * VALIDATION.clips : VALIDATION.clips;
  const scope = new Scope();
  const pixels = input('pixels', [1, frames, 3, PICTURE, PICTURE]);
  const { encode, decode } = autoencoder(scope, config, { form: 'fused' });
  const decoded = decode(splitMoments(encode(pixels)).mean);
  const executable = await compile({ decoded }, { device, threads: config.threads });
  const feeds = Object.fromEntries(weights);
  const score = async (stream: ClipStream): Promise<{ psnr: number; ssim: number; rows: Uint8Array[] }> => {
    const count = Math.min(most, stream.files);
    const rows: Uint8Array[] = [];
    let [totalPsnr, totalSsim] = [0, 0];
    for (let i = 0; i < count; i++) {
      const clip = await stream.clip(i);
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
  const trained = await score(held.trained);
  const unseen = held.unseen && (await score(held.unseen));
  await executable.dispose();
  const sheet = path.join(at.folder, 'samples', `step-${String(at.step).padStart(6, '0')}.png`);
  const size = { width: PICTURE, height: PICTURE, columns: 6 };
  await writingErrors(at.folder, () =>
    contactSheet([...trained.rows, ...(unseen?.rows.slice(0, 12) ?? [])], { ...size, path: sheet }),
  );
  const figures = { ssim: trained.ssim, ...(unseen && { unseen: unseen.psnr, unseenSsim: unseen.ssim }) };
  return { score: trained.psnr, figures };
}

/** Writes `vae/vae_v2.safetensors` (float16) and its config, as a model directory has them. */
async function save(config: object, weights: ReadonlyMap<string, Value>, folder: string): Promise<void> {
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
  await writeFile(path.join(target, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
}
