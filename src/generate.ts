/**
 * The story: a prompt becomes a video. Every stage is one named call; this file only leads the data from one to the
 * next, reports events, and keeps what is finished when something stops it.
 *
 *   prompt ─encodeText─▶ text   seed ─initialNoise─▶ latents ─euler(guided(velocity))─▶ latents ─decode─▶ frames ─▶ file
 */
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { cacheFolder } from './cache-folder.ts';
import { euler } from './diffusion/euler.ts';
import { guided, needsUnconditional } from './diffusion/guidance.ts';
import { schedule } from './diffusion/schedule.ts';
import { StepCache } from './dit/step-cache.ts';
import { inputError, StepVideoError } from './errors.ts';
import { frameQueue } from './frame-queue.ts';
import { type LatentShape, readLatents, type SavedLatents, writeLatents } from './latents.ts';
import { parseMemory } from './memory-plan/memory-size.ts';
import { planMemory } from './memory-plan/plan.ts';
import { modelDirectory } from './model-directory.ts';
import { loadPipeline, type Pipeline } from './pipeline.ts';
import { type Plan, planGeneration, startingPoint } from './plan.ts';
import { type Preset, presetOf } from './presets.ts';
import { type PreviewEvent, previewer } from './previews.ts';
import { type GenerateRequest, parseRequest, type SamplingRequest } from './request.ts';
import type { Device } from './runtime/device.ts';
import { settleDevice } from './runtime/settle-device.ts';
import type { DecodeRetry } from './vae/load.ts';
import { encodeVideo } from './video/encode.ts';
import { framesFromDecoded } from './video/pixels.ts';

/** What happens, in order. Arrays are the sampler's and decoder's own: read them, do not write into them. */
export type GenerateEvent =
  /** Everything is checked, work begins. `firstStep` steps are already done (a resumed run). */
  | {
      type: 'start';
      request: SamplingRequest;
      model: string;
      out: string;
      firstStep: number;
      unknownWords: string[];
      /** Why the networks run on the CPU instead of the device asked for, and what to install. */
      deviceWarning?: string | undefined;
      /** Why there will be no previews, where they were asked for. */
      previewWarning?: string | undefined;
    }
  | { type: 'text'; seconds: number }
  /** `latents` and `denoised` (the guess of the end result) are float32 [F, C, h, w], described by `shape`. */
  | {
      type: 'step';
      step: number;
      steps: number;
      t: number;
      etaSeconds: number;
      shape: LatentShape;
      latents: Float32Array;
      denoised: Float32Array;
    }
  /** After the first step, every few, and the last: what the video is coming to, where the model has a map for it. */
  | PreviewEvent
  /** Latents after `step` steps are safe in `path`: before decoding, or because the run was stopped. */
  | { type: 'latents'; path: string; step: number }
  /** Memory ran out while decoding, which went on with the same frames in smaller parts. */
  | ({ type: 'retry' } & DecodeRetry)
  /** RGB8 [height, width, 3]. */
  | { type: 'frame'; index: number; frames: number; rgb: Uint8Array }
  | { type: 'done'; path: string; frames: number; bytes: number; seconds: number; latents: string | undefined };

export type GenerateOptions = {
  /** Stops within one step, or between chunks of frames. */
  signal?: AbortSignal;
  /** A loaded model, which stays loaded; then `model` and `device` must not be in the request. */
  pipeline?: Pipeline;
};

/**
 * Makes one video and reports each event as it happens. The same request gives the same frames, and a run that was
 * stopped and resumed gives those of one that was not.
 * @throws input, checkpoint or environment error before work starts; numeric error at the first value that is not
 * finite; aborted error. A run stopped after sampling began has first written its latents and said so.
 */
export async function* generate(
  input: GenerateRequest,
  options: GenerateOptions = {},
): AsyncGenerator<GenerateEvent, void, void> {
  const { signal } = options;
  const clock = stopwatch();
  const request = parseRequest(input);
  const saved = request.resume === undefined ? undefined : await readLatents(request.resume);
  const { directory, preset } = chooseModel(request, saved, options.pipeline);
  const plan = await planGeneration(request, { preset, saved });
  const { sampling, out } = plan;
  const { device, warning: deviceWarning } = await settleDevice(request.device ?? 'cpu');
  const pipeline = options.pipeline ?? (await openPipeline(directory, preset, { request, plan, device }));
  try {
    const start = startingPoint(plan, pipeline.latentChannels);
    const unknownWords = pipeline.unknownWords(sampling.prompt);
    const isPreviewed = plan.preview !== undefined || (request.previewEvery ?? 0) > 0;
    yield {
      type: 'start',
      request: sampling,
      model: directory,
      out,
      firstStep: start.step,
      unknownWords,
      deviceWarning,
      previewWarning: isPreviewed && 'missing' in pipeline.previews ? pipeline.previews.missing : undefined,
    };

    let { latents, step } = start;
    // Where a resumed run would go on to the same bits: behind the last step, or before the last one that was not skipped.
    let resumable = start;
    if (step < sampling.steps) {
      stopIfAborted(signal);
      const textClock = stopwatch();
      const cache = sampling.stepCache > 0 ? new StepCache(sampling.stepCache) : undefined;
      const model = await bindText(pipeline, sampling, { shape: start.shape, cache, signal });
      yield { type: 'text', seconds: textClock() };
      try {
        const velocity = guided(model, sampling.guidanceScale);
        const previewOf = previewer(plan, pipeline.previews, start.shape);
        const stepClock = stopwatch();
        for await (const at of euler({ velocity, latents, times: schedule(sampling), fromStep: step, signal })) {
          if (cache?.wasFull) resumable = { latents, step, shape: start.shape };
          ({ latents, step } = at);
          if (!cache) resumable = { latents, step, shape: start.shape };
          const etaSeconds = (stepClock() / (step - start.step)) * (sampling.steps - step);
          yield { type: 'step', ...at, steps: sampling.steps, etaSeconds, shape: start.shape };
          const preview = await previewOf(at);
          if (preview) yield preview;
          await pendingEvents();
        }
      } catch (error) {
        if (await save(plan, pipeline, resumable).catch(() => false)) {
          yield { type: 'latents', path: plan.latentsFile, step: resumable.step };
        }
        throw error;
      }
    }
    await save(plan, pipeline, { latents, step, shape: start.shape });
    yield { type: 'latents', path: plan.latentsFile, step };

    const file = yield* decodeToFile(pipeline, plan, { latents, shape: start.shape, tile: request.tile, signal });
    if (!plan.keepLatents) await rm(plan.latentsFile, { force: true });
    const kept = plan.keepLatents ? plan.latentsFile : undefined;
    yield { type: 'done', path: file.path, frames: file.frames, bytes: file.bytes, seconds: clock(), latents: kept };
  } finally {
    if (!options.pipeline) await pipeline.close();
  }
}

type Model = { directory: string; preset: Preset };

/** The model that the caller holds loaded, or the one that the request, or the run that it resumes, names. */
function chooseModel(request: GenerateRequest, saved: SavedLatents | undefined, pipeline: Pipeline | undefined): Model {
  if (!pipeline) {
    const directory = modelDirectory(request.model ?? saved?.model);
    return { directory, preset: presetOf(directory) };
  }
  for (const field of ['model', 'device', 'memory'] as const) {
    if (request[field] !== undefined) {
      throw inputError('generate', `${field} must not be given with a loaded pipeline`, request[field]);
    }
  }
  return pipeline;
}

/** A pipeline for one video, its weights held as the memory that `request` allows asks for. */
async function openPipeline(
  directory: string,
  preset: Preset,
  { request, plan: { sampling, saved }, device }: { request: GenerateRequest; plan: Plan; device: Device },
): Promise<Pipeline> {
  const { memory } = request;
  const { placements } = await planMemory(directory, sampling, {
    device,
    memory: memory === undefined ? undefined : parseMemory(memory),
    tile: request.tile,
    decodeOnly: saved !== undefined && saved.step >= sampling.steps,
  });
  return loadPipeline(directory, { device, preset, once: true, placements, textCache: cacheFolder('text') });
}

/** [prompt + suffix, negative prompt] → text states → the model with that text, as guidance wants it. */
async function bindText(
  pipeline: Pipeline,
  sampling: SamplingRequest,
  { shape, cache, signal }: { shape: LatentShape; cache: StepCache | undefined; signal: AbortSignal | undefined },
) {
  const conditional = sampling.prompt + sampling.promptSuffix;
  const isGuided = needsUnconditional(sampling.guidanceScale);
  const text = await pipeline.encodeText(isGuided ? [conditional, sampling.negativePrompt] : [conditional], signal);
  return (latents: Float32Array, batch: 1 | 2, t: number) =>
    pipeline.velocity({ latents, batch, shape, t, text, cache, signal });
}

type Position = { latents: Float32Array; step: number; shape: LatentShape };

async function save(plan: Plan, pipeline: Pipeline, position: Position): Promise<true> {
  await mkdir(path.dirname(plan.latentsFile), { recursive: true });
  await writeLatents(plan.latentsFile, { ...position, request: plan.sampling, model: pipeline.directory });
  return true;
}

type Decoding = {
  latents: Float32Array;
  shape: LatentShape;
  tile: number | undefined;
  signal: AbortSignal | undefined;
};

/** Decodes chunk by chunk into the encoder, which works on earlier frames meanwhile. */
async function* decodeToFile(pipeline: Pipeline, plan: Plan, { latents, shape, tile, signal }: Decoding) {
  const { sampling, out, format } = plan;
  const { height, width, fps, frames } = sampling;
  const metadata = Object.fromEntries(Object.entries(sampling).map(([name, value]) => [name, String(value)]));
  // Two chunks: one being encoded while the next is decoded.
  const queue = frameQueue(34);
  const stop = new AbortController();
  const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const file = encodeVideo(queue.frames, { path: out, format, width, height, fps, metadata, signal: either });
  file.catch(() => queue.abandon());
  let failure: { error: unknown } | undefined;
  file.catch((error) => {
    failure = { error };
  });
  try {
    let index = 0;
    const retries: DecodeRetry[] = [];
    const onRetry = (retry: DecodeRetry): void => void retries.push(retry);
    for await (const chunk of pipeline.decode(latents, shape, { tile, onRetry })) {
      await pendingEvents();
      stopIfAborted(signal);
      for (const retry of retries.splice(0)) yield { type: 'retry', ...retry } as const;
      for (const rgb of framesFromDecoded(chunk, { frames: chunk.length / (3 * height * width), height, width })) {
        await queue.push(rgb);
        if (failure) throw failure.error;
        yield { type: 'frame', index: index++, frames, rgb } as const;
      }
    }
    queue.end();
    return await file;
  } finally {
    // Reached early only by an error or a consumer that left: the encoder must not wait for frames for ever.
    stop.abort();
    await file.catch(() => {});
  }
}

function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new StepVideoError('aborted', 'generate', 'stopped by its signal');
}

/**
 * Lets timers, signals and the encoder run: networks hold the thread while they compute. The second turn comes after
 * the event loop has asked the system what is new.
 */
async function pendingEvents(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate);
}

/** Seconds since now. */
function stopwatch(): () => number {
  const started = performance.now();
  return () => (performance.now() - started) / 1000;
}
