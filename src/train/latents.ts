/**
 * Latents of training clips, made once and kept on disk in parts, with the captions that go with them. A part is valid only
 * for the encoder that made it, whose hash it carries. Does not know the denoiser.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { ClipSource, ClipStream, StreamPart } from '../data/clip-source.ts';
import { ASPECTS, type Aspect } from '../data/scene.ts';
import type { SceneChoice } from '../data/scene-choice.ts';
import { sha256 } from '../data/world.ts';
import { internalError, StepVideoError } from '../errors.ts';
import { Scope } from '../nn/scope.ts';
import { compile } from '../runtime/compile.ts';
import type { Device } from '../runtime/device.ts';
import { float32, floats } from '../runtime/value.ts';
import { input, sizeOf } from '../tensor/index.ts';
import { CHUNK_FRAMES } from '../vae/config.ts';
import { encoder } from '../vae/encoder.ts';
import { encoderHash } from '../vae/encoder-hash.ts';
import { splitMoments } from '../vae/posterior.ts';
import { openComponent } from '../weights/checkpoint.ts';
import { openSafetensors, writeSafetensors } from '../weights/safetensors.ts';
import { storedWeights } from '../weights/stored-weights.ts';
import { clipsToPixels } from './clip-pixels.ts';
import { writingErrors } from './disk.ts';

/** Means of the posterior, before normalisation: [clips, F, z, h, w] flat, and each clip's captions. */
export type LatentSet = {
  readonly latents: Float32Array;
  readonly captions: readonly (readonly string[])[];
  readonly shape: readonly number[];
};

export type LatentOptions = {
  readonly source: ClipSource;
  readonly part: StreamPart;
  /** Model directory whose encoder is used. */
  readonly vae: string;
  /** Where parts are kept. */
  readonly folder: string;
  /** 1, or whole chunks of 17. */
  readonly frames: number;
  readonly aspect: Aspect;
  readonly scenes: SceneChoice;
  /** Fewer where the source has no more that differ. */
  readonly clips: number;
  readonly seed: number;
  readonly device: Device;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: number, total: number) => void;
};

/** Clips in one file. */
const PART = 250;

/**
 * Reads what the cache holds and encodes the rest, a part at a time.
 * @throws data error where a part was made by another encoder or of other clips; aborted error between clips once `signal` fires.
 */
export async function latentSet(options: LatentOptions): Promise<LatentSet> {
  const { folder, source, ...request } = options;
  await writingErrors(folder, () => mkdir(folder, { recursive: true }));
  const stream = await source.stream(request);
  if (stream === undefined) throw internalError('latents', 'every source has clips to train on and to validate on');
  const clips = Math.min(options.clips, stream.distinct);
  const made = { vae: await hashOf(options.vae), data: stream.identity };
  const encode = await encoderOf(options, stream);
  const size = sizeOf(encode.shape);
  const latents = new Float32Array(clips * size);
  try {
    for (let first = 0; first < clips; first += PART) {
      const count = Math.min(PART, clips - first);
      const file = partFile(options, first / PART);
      let part = existsSync(file) ? await readPart(file, made, count * size) : undefined;
      if (part === undefined) {
        part = await encode.clips(first, count);
        const tensor = { name: 'latents', dtype: 'F16' as const, shape: [count, ...encode.shape], data: part };
        // Read back, so that numbers are those of a run that finds the part in the cache.
        await writeSafetensors(file, [tensor], made);
        part = (await readPart(file, made, count * size))!;
      }
      latents.set(part, first * size);
      options.onProgress?.(first + count, clips);
    }
  } finally {
    await encode.close();
  }
  const captions = Array.from({ length: clips }, (_, i) => stream.captions(i));
  return { latents, captions, shape: encode.shape };
}

const partFile = ({ folder, frames, aspect, scenes, seed }: LatentOptions, part: number): string => {
  const isChosen = Object.values(scenes).some(Boolean); // absent or false: as they come
  const shape = [
    frames,
    ...(aspect === 'square' ? [] : [aspect]),
    ...(isChosen ? [sha256(JSON.stringify(scenes)).slice(0, 8)] : []),
  ].join('-');
  return path.join(folder, `clips-${shape}-seed${seed}-${String(part).padStart(4, '0')}.safetensors`);
};

/** Of the encoder in model directory `dir`. */
async function hashOf(dir: string): Promise<string> {
  const { source } = await openComponent(dir, 'vae');
  return encoderHash(source).finally(() => source.close());
}

/** The encoder and the clips that a part is made of. */
type Ingredients = { readonly vae: string; readonly data: string };

/** The first `length` numbers of a part; undefined where it holds fewer clips, of a run that needed no more. */
async function readPart(file: string, made: Ingredients, length: number): Promise<Float32Array | undefined> {
  const source = await openSafetensors(file);
  try {
    const { metadata } = source;
    const refuse = (rule: string, got: string | undefined): never => {
      const hint = 'another folder for latents, or deleting this one';
      throw new StepVideoError('data', `latents ${file}`, rule, got?.slice(0, 12) ?? 'nothing', hint);
    };
    if (metadata['vae'] !== made.vae)
      refuse(`must be of this VAE's encoder, ${made.vae.slice(0, 12)}`, metadata['vae']);
    // Parts of before there were other data than emoji world say `world`.
    const data = metadata['data'] ?? metadata['world'];
    if (data !== made.data) refuse('must be of these clips, as they are now', data);
    const entry = source.tensors.get('latents');
    if (entry === undefined || sizeOf(entry.shape) < length) return undefined;
    return (await source.readFloat32(entry)).subarray(0, length);
  } finally {
    await source.close();
  }
}

async function encoderOf(options: LatentOptions, stream: ClipStream) {
  const { vae, frames, aspect, device, threads, signal } = options;
  const { config, source } = await openComponent(vae, 'vae');
  const { width, height } = ASPECTS[aspect];
  const chunk = Math.min(frames, CHUNK_FRAMES);
  const pixels = input('pixels', [1, chunk, 3, height, width]);
  const mean = splitMoments(encoder(new Scope().at('encoder'), config, 'fused')(pixels)).mean;
  const executable = await compile({ mean }, { device, threads, weights: await storedWeights(source) });
  const [, latentFrames, ...picture] = mean.shape as readonly [number, number, ...number[]];
  const shape = [(frames / chunk) * latentFrames, ...picture];
  const [pixelSize, latentSize] = [sizeOf(pixels.shape), sizeOf(mean.shape)];
  return {
    shape,
    async clips(first: number, count: number): Promise<Float32Array> {
      const out = new Float32Array(count * sizeOf(shape));
      for (let i = 0; i < count; i++) {
        if (signal?.aborted) throw new StepVideoError('aborted', 'train', 'stopped while making latents');
        const clip = clipsToPixels([await stream.clip(first + i)]);
        for (let at = 0; at < frames / chunk; at++) {
          const piece = clip.subarray(at * pixelSize, (at + 1) * pixelSize);
          const result = await executable.run({ pixels: float32(piece, pixels.shape) });
          out.set(floats(result.mean), i * sizeOf(shape) + at * latentSize);
        }
        // The network holds the thread; a signal needs a turn of the event loop.
        await new Promise(setImmediate);
      }
      return out;
    },
    async close() {
      await executable.dispose();
      await source.close();
    },
  };
}
