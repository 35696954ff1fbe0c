/** Previews of a run: when they come, what they show, the file that they replace, and that nothing else changes. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type GenerateEvent, generate } from '../../src/generate.ts';
import type { Pipeline } from '../../src/pipeline.ts';
import type { GenerateRequest } from '../../src/request.ts';
import { closedFormPipeline } from './closed-form-pipeline.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'previews-'));
});
afterEach(() => rmSync(directory, { recursive: true }));
const at = (name: string): string => path.join(directory, name);

type Preview = Extract<GenerateEvent, { type: 'preview' }>;

/** The closed-form pipeline with previews whose grey is the mean of each latent frame; `seen` is what they were made of. */
function previewing() {
  const { pipeline, calls } = closedFormPipeline();
  const seen: Float32Array[] = [];
  const previews: Pipeline['previews'] = {
    pictures(latents, { frames, channels, height, width }) {
      seen.push(latents);
      const size = channels * height * width;
      const grey = (f: number): number =>
        latents.subarray(f * size, (f + 1) * size).reduce((sum, x) => sum + x / size, 0.5) * 128;
      const pictures = Array.from({ length: frames }, (_, f) => new Uint8Array(4 * height * width * 3).fill(grey(f)));
      return { width: 2 * width, height: 2 * height, pictures, times: pictures.map((_, f) => 6 * f) };
    },
  };
  return { pipeline: { ...pipeline, previews }, calls, seen };
}

async function collect(request: GenerateRequest, pipeline: Pipeline<number[]> = previewing().pipeline) {
  const events: GenerateEvent[] = [];
  for await (const event of generate(request, { pipeline })) events.push(event);
  const previews = events.flatMap((event) => (event.type === 'preview' ? [event] : []));
  // As one buffer: comparing 34 arrays number by number takes longer than making them.
  const video = Buffer.concat(events.flatMap((event) => (event.type === 'frame' ? [event.rgb] : [])));
  return { events, previews, video };
}

const request = (more: GenerateRequest = {}): GenerateRequest => ({ prompt: 'a fox', out: at('v/'), ...more });
const stepsOf = (previews: readonly Preview[]): number[] => previews.map(({ step }) => step);

describe('previews', () => {
  it.each([
    [{}, [1, 2, 3, 4, 5, 6]],
    [{ steps: 20 }, [1, 3, 6, 9, 12, 15, 18, 20]],
    [{ previewEvery: 4 }, [1, 4, 6]],
    [{ previewEvery: 100 }, [1, 6]],
    [{ previewEvery: 0 }, []],
  ] as const)('with %j come after steps %j, each behind its own', async (more, steps) => {
    const { events, previews } = await collect(request(more));
    expect(stepsOf(previews)).toEqual(steps);
    for (const [i, event] of events.entries())
      if (event.type === 'preview') expect(events[i - 1]).toMatchObject({ type: 'step', step: event.step });
    for (const { pictures, width, height } of previews) {
      expect([width, height, pictures.length]).toEqual([6, 4, 6]);
      expect(pictures.every((picture) => picture.length === 6 * 4 * 3)).toBe(true);
    }
  });

  it('show the clean latents that a straight flow leads to, from the first step on', async () => {
    const { pipeline, seen } = previewing();
    const data = (i: number): number => Math.sin(i) * 2;
    const straight: Pipeline<number[]> = {
      ...pipeline,
      velocity: async ({ latents, batch, t }) =>
        latents.map((x, i) => (data(i % (latents.length / batch)) - x) / (1 - t)),
    };
    await collect(request(), straight);
    expect(seen).toHaveLength(6);
    for (const latents of seen) latents.forEach((x, i) => void expect(x).toBeCloseTo(data(i), 4));
  });

  it('leave the video as it is without them, to the bit', async () => {
    const { video } = await collect(request({ previewEvery: 0 }));
    expect(video).toHaveLength(34 * 32 * 48 * 3);
    expect((await collect(request({ preview: at('p.webp') }))).video.equals(video)).toBe(true);
    expect((await collect(request(), closedFormPipeline().pipeline)).video.equals(video)).toBe(true);
  });

  it('begin with the first step of a resumed run', async () => {
    const stop = new AbortController();
    const run = (async () => {
      for await (const event of generate(request(), { ...previewing(), signal: stop.signal }))
        if (event.type === 'step' && event.step === 2) stop.abort();
    })();
    await expect(run).rejects.toMatchObject({ kind: 'aborted' });
    const resume = { resume: at('v.latents.safetensors'), out: at('w/'), previewEvery: 5 };
    expect(stepsOf((await collect(resume)).previews)).toEqual([3, 5, 6]);
  });
});

describe('the file', () => {
  it('is there after the first step, and replaced by each preview', async () => {
    const file = at('deep/er/p.webp');
    const versions: Buffer[] = [];
    for await (const event of generate(request({ preview: file, previewEvery: 3 }), previewing())) {
      if (event.type === 'step' && event.step === 1) expect(existsSync(file)).toBe(false);
      if (event.type !== 'preview') continue;
      expect(event.path).toBe(file);
      versions.push(readFileSync(file));
    }
    expect(versions).toHaveLength(3);
    expect(versions[0]!.equals(versions[2]!)).toBe(false);
    const { width, pageHeight, pages } = await sharp(file, { animated: true }).metadata();
    expect([width, pageHeight, pages]).toEqual([48, 32, 9]);
  });

  it('that can no longer be written stops nothing, and says why', async () => {
    const { pipeline } = previewing();
    const failures: (string | undefined)[] = [];
    let isDone = false;
    for await (const event of generate(request({ preview: at('q/p.webp'), previewEvery: 3 }), { pipeline })) {
      if (event.type === 'step' && event.step === 1) writeFileSync(at('q'), 'in the way');
      if (event.type === 'preview') failures.push(event.failure);
      isDone = event.type === 'done';
    }
    expect([failures.length, isDone]).toEqual([3, true]);
    for (const failure of failures) expect(failure).toContain('output path: must lie in a directory');
  });

  it.each([
    [{ preview: 'p.xyz' }, 'generate: preview must be a path that ends in .webp or .gif, got p.xyz'],
    [{ preview: 'p.mp4' }, 'generate: preview must be a path that ends in .webp or .gif, got p.mp4'],
    [{ preview: 'p.webp', previewEvery: 0 }, 'previewEvery must be at least 1 where there is a file'],
    [{ previewEvery: -1 }, 'previewEvery must be a whole number from 0 to 1000, got -1'],
    [{ preview: 'v.webp', out: './v.webp' }, 'preview must not be the file of the video'],
    [{ preview: 'file/p.webp' }, 'output path: must lie in a directory'],
    [{ preview: 'folder.gif' }, 'output path: must be a file for gif, not a directory'],
  ])('%j is refused before any stage runs', async (more: GenerateRequest, message) => {
    writeFileSync(at('file'), 'not a directory');
    mkdirSync(at('folder.gif'));
    const { pipeline, calls } = previewing();
    const placed = Object.fromEntries(
      Object.entries(more).map(([k, v]) => [k, typeof v === 'string' && !message.includes(v) ? at(v) : v]),
    );
    await expect(collect(request(placed), pipeline)).rejects.toThrow(message);
    expect(calls.texts).toEqual([]);
  });
});

describe('a model without a map', () => {
  it.each([
    [{}, undefined],
    [{ previewEvery: 2 }, 'no previews of closed forms'],
    [{ preview: 'p.webp' }, 'no previews of closed forms'],
  ])('asked with %j goes on and warns: %s', async (more: GenerateRequest, warning) => {
    const placed = more.preview === undefined ? more : { preview: at(more.preview) };
    const { events, previews, video } = await collect(request(placed), closedFormPipeline().pipeline);
    expect(events[0]).toMatchObject({ type: 'start', previewWarning: warning });
    expect([previews.length, video.length > 0, existsSync(at('p.webp'))]).toEqual([0, true, false]);
  });
});
