/** Skipped steps through the whole story, on the shipped model: saved with the run, and the same video after a stop. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { StepVideoError } from '../../src/errors.ts';
import { type GenerateEvent, generate } from '../../src/generate.ts';
import { readLatents } from '../../src/latents.ts';
import { loadPipeline, type Pipeline } from '../../src/pipeline.ts';
import { presetOf } from '../../src/presets.ts';
import type { GenerateRequest } from '../../src/request.ts';
import type { TextEmbedding } from '../../src/text/encode.ts';

const MODEL = new URL('../../models/mini', import.meta.url).pathname;
let scratch: string;
let pipeline: Pipeline;
let calls: boolean[] = [];
beforeAll(async () => {
  scratch = mkdtempSync(path.join(tmpdir(), 'step-cache-'));
  const real = await loadPipeline(MODEL, { device: 'cpu', threads: 1, preset: presetOf(MODEL) });
  pipeline = {
    ...real,
    async velocity(call) {
      const velocity = await real.velocity({ ...call, text: call.text as TextEmbedding });
      calls.push(call.cache?.wasFull ?? true);
      return velocity;
    },
  };
});
afterAll(async () => {
  await pipeline.close();
  rmSync(scratch, { recursive: true });
});
const at = (name: string): string => path.join(scratch, name);

async function run(request: GenerateRequest, stopAfter = Number.POSITIVE_INFINITY) {
  calls = [];
  const abort = new AbortController();
  const events: GenerateEvent[] = [];
  try {
    for await (const event of generate(request, { pipeline, signal: abort.signal })) {
      events.push(event);
      if (event.type === 'step' && event.step === stopAfter) abort.abort();
    }
  } catch (error) {
    if ((error as StepVideoError).kind !== 'aborted') throw error;
  }
  const latents = events.flatMap((event) => (event.type === 'step' ? [event.latents] : [])).at(-1)!;
  return { latents, full: calls, events };
}

const request = (name: string): GenerateRequest => ({
  prompt: 'a red apple bounces on a blue background',
  size: '64x64',
  steps: 10,
  stepCache: 0.3,
  out: at(name),
});

it('some steps are skipped, and a run stopped anywhere ends at the same latents to the bit', async () => {
  const whole = await run(request('whole.gif'));
  expect(whole.full).toHaveLength(10);
  expect(whole.full[0]).toBe(true);
  expect(whole.full).toContain(false);
  // Behind a full step, and behind a skipped one.
  const stops = [whole.full.indexOf(false) + 1, whole.full.lastIndexOf(true, 8) + 1];
  for (const stop of stops) {
    const stopped = await run(request(`stopped-${stop}.gif`), stop);
    const saved = stopped.events.flatMap((event) => (event.type === 'latents' ? [event] : [])).at(-1)!;
    expect(saved.step).toBe(whole.full.slice(0, stop).lastIndexOf(true));
    expect((await readLatents(saved.path)).request.stepCache).toBe(0.3);
    const resumed = await run({ resume: saved.path, out: at(`resumed-${stop}.gif`) });
    expect(resumed.full).toEqual(whole.full.slice(saved.step));
    expect(resumed.latents).toEqual(whole.latents);
  }
});

it('is off unless asked for, and fixed by what a resumed run was', async () => {
  const { stepCache: _, ...plain } = request('plain.gif');
  const off = await run(plain);
  expect(off.full).toEqual(new Array(10).fill(true));
  expect((await run({ ...plain, stepCache: 0 })).latents).toEqual(off.latents);
  await expect(run({ resume: 'x.safetensors', stepCache: 0.1 })).rejects.toThrow(
    /stepCache must not be given with resume/,
  );
});
