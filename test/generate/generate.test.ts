/** The story's promises: determinism, resume to the bit, latents kept, errors before work, frames streamed. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { torchGenerator } from '../../src/diffusion/torch-noise.ts';
import type { StepVideoError } from '../../src/errors.ts';
import { type GenerateEvent, type GenerateOptions, generate } from '../../src/generate.ts';
import { readLatents, writeLatents } from '../../src/latents.ts';
import type { GenerateRequest, SamplingRequest } from '../../src/request.ts';
import { readFrames, readVideoMetadata } from '../../src/video/decode.ts';
import { closedFormPipeline, type Hooks } from './closed-form-pipeline.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'generate-'));
});
afterEach(() => rmSync(directory, { recursive: true }));
const at = (name: string): string => path.join(directory, name);

type Run = { events: GenerateEvent[]; error: StepVideoError | undefined };

/** Runs to the end, collecting events and the error, if any. */
async function run(
  request: GenerateRequest,
  options: GenerateOptions & { until?: (event: GenerateEvent) => void } = {},
): Promise<Run> {
  const events: GenerateEvent[] = [];
  const { until, ...rest } = { pipeline: closedFormPipeline().pipeline, ...options };
  try {
    for await (const event of generate(request, rest)) {
      events.push(event);
      until?.(event);
    }
    return { events, error: undefined };
  } catch (error) {
    return { events, error: error as StepVideoError };
  }
}

const types = ({ events }: Run): string[] => [...new Set(events.map(({ type }) => type))];
const framesOf = ({ events }: Run): Uint8Array[] => events.flatMap((e) => (e.type === 'frame' ? [e.rgb] : []));
const prompt = 'a red apple';

/** The lossless format, so that files can be compared bit for bit. */
const png = (name: string): GenerateRequest => ({ prompt, out: at(`${name}/`), format: 'png' });

describe('a whole run', () => {
  it('reports its stages in order and writes the frames that it reports', async () => {
    const { pipeline, calls } = closedFormPipeline();
    const result = await run({ ...png('a'), seed: 3 }, { pipeline });
    expect(result.error).toBeUndefined();
    expect(types(result)).toEqual(['start', 'text', 'step', 'latents', 'frame', 'done']);
    const steps = result.events.flatMap((e) => (e.type === 'step' ? [e] : []));
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(steps.at(-1)).toMatchObject({
      t: 1,
      steps: 6,
      etaSeconds: 0,
      shape: { frames: 6, channels: 2, height: 2, width: 3 },
    });
    expect(steps.at(-1)!.denoised).toEqual(steps.at(-1)!.latents);
    const written: Uint8Array[] = [];
    for await (const { rgb } of readFrames(at('a'))) written.push(new Uint8Array(rgb));
    expect(written).toHaveLength(34);
    expect(written).toEqual(framesOf(result).map((rgb) => new Uint8Array(rgb)));
    expect(calls.texts).toEqual([[prompt, '']]);
    expect(calls.closed).toBe(false);
  });

  it('is the same for the same request and another for another seed, prompt, guidance or shift', async () => {
    const first = framesOf(await run({ ...png('a'), seed: 3 }));
    expect(framesOf(await run({ ...png('b'), seed: 3 }))).toEqual(first);
    for (const change of [
      { seed: 4 },
      { rng: 'torch' as const },
      { rng: 'torch-bf16' as const },
      { prompt: 'a blue apple' },
      { guidanceScale: 7 },
      { timeShift: 5 },
      { negativePrompt: 'x' },
    ]) {
      expect(framesOf(await run({ ...png('c'), seed: 3, ...change }))).not.toEqual(first);
    }
  });

  it('without guidance encodes and runs the prompt alone', async () => {
    const { pipeline, calls } = closedFormPipeline();
    await run({ ...png('a'), guidanceScale: 1 }, { pipeline });
    expect(calls.texts).toEqual([[prompt]]);
  });

  it('appends the suffix of the preset to the prompt without a separator', async () => {
    const { pipeline, calls } = closedFormPipeline();
    const preset = { ...pipeline.preset, promptSuffix: '，清晰。', negativePrompt: '模糊' };
    await run(png('a'), { pipeline: { ...pipeline, preset } });
    expect(calls.texts).toEqual([['a red apple，清晰。', '模糊']]);
  });

  it('makes one frame of one latent frame', async () => {
    const result = await run({ ...png('a'), frames: 1 });
    expect(framesOf(result)).toHaveLength(1);
    expect(result.events.at(-1)).toMatchObject({ type: 'done', frames: 1 });
  });

  it('names unknown words before work starts', async () => {
    const { events } = await run({ ...png('a'), prompt: 'a qqfoo apple' });
    expect(events[0]).toMatchObject({ type: 'start', unknownWords: ['qqfoo'], firstStep: 0 });
  });

  it('stores every parameter in an mp4 that plays', async () => {
    const result = await run({ prompt, out: at('a.mp4'), seed: 9 });
    expect(result.error).toBeUndefined();
    let frames = 0;
    for await (const frame of readFrames(at('a.mp4'))) frames += frame.width === 48 && frame.height === 32 ? 1 : 0;
    expect(frames).toBe(34);
    expect(await readVideoMetadata(at('a.mp4'))).toMatchObject({
      prompt,
      seed: '9',
      rng: 'counter',
      steps: '6',
      frames: '34',
      guidanceScale: '2',
    });
  });
});

describe('latents', () => {
  it('are gone after success, unless asked for or there before', async () => {
    await run({ prompt, out: at('a.mp4') });
    expect(readdirSync(directory)).toEqual(['a.mp4']);
    const kept = await run({ prompt, out: at('b.mp4'), saveLatents: true });
    expect(kept.events.at(-1)).toMatchObject({ type: 'done', latents: at('b.latents.safetensors') });
    await run({ prompt, out: at('b.mp4') });
    await run({ prompt, out: at('c.mp4'), saveLatents: at('deep/er/x.safetensors') });
    expect(readdirSync(directory).sort()).toEqual(['a.mp4', 'b.latents.safetensors', 'b.mp4', 'c.mp4', 'deep']);
    expect(await readLatents(at('deep/er/x.safetensors'))).toMatchObject({
      step: 6,
      shape: { frames: 6, channels: 2, height: 2, width: 3 },
      request: { prompt, seed: 1234, steps: 6, height: 32 },
    });
  });

  it.each([1, 3, 5])('stopped after step %i, resume ends in the same bits', async (last) => {
    const whole = framesOf(await run(png('whole')));
    const abort = new AbortController();
    const stopped = await run(png('part'), {
      signal: abort.signal,
      until: (event) => event.type === 'step' && event.step === last && abort.abort(),
    });
    expect(stopped.error).toMatchObject({ kind: 'aborted' });
    expect(stopped.events.at(-1)).toEqual({ type: 'latents', path: at('part.latents.safetensors'), step: last });
    expect(existsSync(at('part'))).toBe(false);

    const { pipeline, calls } = closedFormPipeline();
    const resumed = await run(
      { resume: at('part.latents.safetensors'), out: at('part/'), format: 'png' },
      { pipeline },
    );
    expect(resumed.events[0]).toMatchObject({ type: 'start', firstStep: last });
    expect(calls.times).toHaveLength(6 - last);
    expect(framesOf(resumed)).toEqual(whole);
    expect(existsSync(at('part.latents.safetensors')), 'a file that was there before stays').toBe(true);
  });

  it('that are through all steps are decoded without text or denoiser', async () => {
    const whole = framesOf(await run({ ...png('a'), saveLatents: true }));
    const { pipeline, calls } = closedFormPipeline();
    const resumed = await run({ resume: at('a.latents.safetensors'), out: at('b/') }, { pipeline });
    expect(framesOf(resumed)).toEqual(whole);
    expect([calls.texts, calls.times]).toEqual([[], []]);
  });

  it('survive a decoder that fails', async () => {
    const { pipeline } = closedFormPipeline({ onChunk: (chunk) => (chunk === 1 ? 'nan' : undefined) });
    const failed = await run({ prompt, out: at('a.mp4') }, { pipeline });
    expect(failed.error).toMatchObject({ kind: 'numeric' });
    expect(readdirSync(directory)).toEqual(['a.latents.safetensors']);
    expect((await readLatents(at('a.latents.safetensors'))).step).toBe(6);
  });

  it('are decoded in smaller parts where memory runs out, said once, with every frame delivered once', async () => {
    const { pipeline } = closedFormPipeline();
    const retry = { reason: 'std::bad_alloc', tile: [32, 48], frames: 2 } as const;
    const decode: typeof pipeline.decode = async function* (latents, shape, options) {
      options?.onRetry?.(retry);
      yield* pipeline.decode(latents, shape);
    };
    const result = await run(png('a'), { pipeline: { ...pipeline, decode } });
    expect(result.events.filter(({ type }) => type === 'retry')).toEqual([{ type: 'retry', ...retry }]);
    const indices = result.events.flatMap((event) => (event.type === 'frame' ? [event.index] : []));
    expect(indices).toEqual(Array.from({ length: 34 }, (_, i) => i));
    expect(framesOf(result)).toEqual(framesOf(await run(png('b'))));
  });

  it('that are not finite stop the run at once, naming the step and keeping the last good ones', async () => {
    const { pipeline, calls } = closedFormPipeline({ onVelocity: (call) => (call === 4 ? 'nan' : undefined) });
    const failed = await run(png('a'), { pipeline });
    expect(failed.error?.message).toBe('euler: velocity must be finite at step 4 of 6, got NaN');
    expect(calls.times).toHaveLength(4);
    const saved = await readLatents(at('a.latents.safetensors'));
    expect(saved.step).toBe(3);
    expect(saved.latents.every(Number.isFinite)).toBe(true);
  });
});

describe('stopping', () => {
  it('before the first step keeps the noise, so that resume is a whole run', async () => {
    const abort = new AbortController();
    const until = (event: GenerateEvent): void => void (event.type === 'text' && abort.abort());
    const stopped = await run(png('a'), { signal: abort.signal, until });
    expect(stopped.error).toMatchObject({ kind: 'aborted' });
    const resumed = await run({ resume: at('a.latents.safetensors'), out: at('b/') });
    expect(framesOf(resumed)).toEqual(framesOf(await run(png('c'))));
  });

  it('keeps the name of the generator, and noise that is its own', async () => {
    const abort = new AbortController();
    const until = (event: GenerateEvent): void => void (event.type === 'text' && abort.abort());
    await run({ ...png('a'), seed: 42, rng: 'torch' }, { signal: abort.signal, until });
    const saved = await readLatents(at('a.latents.safetensors'));
    expect(saved.request.rng).toBe('torch');
    expect(saved.latents).toEqual(torchGenerator(42).randn(6 * 2 * 2 * 3));
    const resumed = await run({ resume: at('a.latents.safetensors'), out: at('b/'), format: 'png' });
    expect(resumed.events[0]).toMatchObject({ request: { rng: 'torch' } });
    expect(framesOf(resumed)).toEqual(framesOf(await run({ ...png('c'), seed: 42, rng: 'torch' })));
  });

  it('resumes files written before there was a choice of generators', async () => {
    const { pipeline } = closedFormPipeline();
    const whole = framesOf(await run({ ...png('a'), saveLatents: at('a.safetensors') }, { pipeline }));
    const { latents, shape, request, step, model } = await readLatents(at('a.safetensors'));
    const { rng: _, ...older } = request;
    await writeLatents(at('older.safetensors'), { latents, shape, request: older as SamplingRequest, step, model });
    const resumed = await run({ resume: at('older.safetensors'), out: at('b/') }, { pipeline });
    expect(resumed.events[0]).toMatchObject({ request: { rng: 'counter' } });
    expect(framesOf(resumed)).toEqual(whole);
  });

  it('while decoding leaves latents and no video', async () => {
    const abort = new AbortController();
    const until = (event: GenerateEvent): void => void (event.type === 'frame' && event.index === 2 && abort.abort());
    const stopped = await run({ prompt, out: at('a.mp4') }, { signal: abort.signal, until });
    expect(stopped.error).toMatchObject({ kind: 'aborted' });
    expect(readdirSync(directory)).toEqual(['a.latents.safetensors']);
  });

  it('a consumer that leaves early leaves no half video', async () => {
    for await (const event of generate({ prompt, out: at('a.mp4') }, { pipeline: closedFormPipeline().pipeline })) {
      if (event.type === 'frame' && event.index === 20) break;
    }
    expect(readdirSync(directory)).toEqual(['a.latents.safetensors']);
  });
});

describe('refused before any stage runs', () => {
  const refusals: [string, () => GenerateRequest, RegExp][] = [
    ['an output in a directory that is a file', () => ({ prompt, out: at('file/a.mp4') }), /output path/],
    ['an output without a known extension', () => ({ prompt, out: at('a.xyz') }), /extension/],
    [
      'format and extension at odds',
      () => ({ prompt, out: at('a.mp4'), format: 'gif' }),
      /must agree with the extension/,
    ],
    [
      'a latents file that cannot be written',
      () => ({ prompt, out: at('a.mp4'), saveLatents: at('file/x.safetensors') }),
      /output path/,
    ],
    ['a resume file that is not there', () => ({ resume: at('none.safetensors') }), /the file must exist/],
    ['a resume file of another kind', () => ({ resume: at('file') }), /safetensors/],
    [
      'a model beside a loaded pipeline',
      () => ({ prompt, model: 'mini' }),
      /model must not be given with a loaded pipeline/,
    ],
    ['a broken request', () => ({ prompt, steps: 0 }), /steps must be/],
  ];
  it.each(refusals)('%s', async (_, request, message) => {
    writeFileSync(at('file'), 'not a directory');
    const hooks: Hooks = {};
    const { pipeline, calls } = closedFormPipeline(hooks);
    const { events, error } = await run(request(), { pipeline });
    expect(error?.message).toMatch(message);
    expect(error?.kind).toMatch(/input|checkpoint/);
    expect(events).toEqual([]);
    expect(calls).toMatchObject({ texts: [], times: [], chunks: 0 });
  });

  it('latents of a model with other channels', async () => {
    await run({ prompt, out: at('a.mp4'), saveLatents: true });
    const { pipeline } = closedFormPipeline();
    const { error } = await run(
      { resume: at('a.latents.safetensors'), out: at('b.mp4') },
      { pipeline: { ...pipeline, latentChannels: 16 } },
    );
    expect(error?.message).toContain("the saved latents must have the model's 16 channels, got 2");
  });
});
