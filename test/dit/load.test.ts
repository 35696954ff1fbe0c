import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Dit, loadDit, type VelocityCall } from '../../src/dit/load.ts';
import { compare } from '../../src/parity/compare.ts';
import { openRecordedSet, type RecordedSet } from '../../src/parity/vectors.ts';
import { float32, floats } from '../../src/runtime/value.ts';

const recorded = new URL('../golden/parity', import.meta.url).pathname;

let dit: Dit;
let run: RecordedSet;
let call: Omit<VelocityCall, 't' | 'latents'>;
let times: Float32Array;
const pairOf = async (name: string): Promise<Float32Array> => {
  const one = floats(await run.read(name));
  return Float32Array.of(...one, ...one);
};

beforeAll(async () => {
  dit = await loadDit(`${recorded}/checkpoint`, { device: 'cpu', threads: 1 });
  run = await openRecordedSet(recorded, 'pipeline');
  const mask = (await run.read('prompt_mask')).data as Int32Array;
  const lengths = [mask.subarray(0, 397), mask.subarray(397)].map((row) => row.reduce((sum, v) => sum + v, 0) - 77);
  const text = { llm: await run.read('llm_states'), clip: await run.read('clip_states'), lengths };
  times = floats(await run.read('timesteps'));
  call = { batch: 2, shape: { frames: 6, channels: 2, height: 2, width: 3 }, text };
});
afterAll(() => Promise.all([dit.close(), run.close()]));

describe('the denoiser of a checkpoint directory', () => {
  it('gives the velocities of the recorded run, conditional and unconditional in one batch', async () => {
    for (const [step, latents] of ['noise', 'latents1', 'latents2', 'latents3'].entries()) {
      const velocity = await dit.velocity({ ...call, latents: await pairOf(latents), t: times[step]! });
      const name = `velocity${step}`;
      expect(compare(name, velocity, floats(await run.read(name)), { deviation: run.deviation(name) })).toMatchObject({
        ok: true,
      });
    }
  });

  it('gives one sample what it gets in a batch', async () => {
    const latents = await pairOf('noise');
    const both = await dit.velocity({ ...call, latents, t: 0 });
    const { llm, clip, lengths } = call.text;
    const first = (value: typeof llm) => {
      const [, length, width] = value.shape as readonly [number, number, number];
      return float32(floats(value).slice(0, length * width), [1, length, width]);
    };
    const text = { llm: first(llm), clip: first(clip!), lengths: lengths.slice(0, 1) };
    const one = await dit.velocity({ ...call, latents: latents.slice(0, latents.length / 2), batch: 1, text, t: 0 });
    expect(compare('first of two', one, both.slice(0, one.length))).toMatchObject({ ok: true });
  });

  it('refuses what does not fit', async () => {
    const latents = await pairOf('noise');
    await expect(dit.velocity({ ...call, latents, t: Number.NaN })).rejects.toThrow(
      't must lie between 0 and 1, got NaN',
    );
    await expect(dit.velocity({ ...call, latents, t: 0, shape: { ...call.shape, channels: 3 } })).rejects.toThrow(
      'must have 2 channels, got 3',
    );
    await expect(dit.velocity({ ...call, latents: latents.slice(1), t: 0 })).rejects.toThrow('data must fill');
    await expect(dit.velocity({ ...call, latents, batch: 1, t: 0 })).rejects.toThrow("batch's size, 1");
    await expect(loadDit(recorded, { device: 'cpu' })).rejects.toThrow('transformer');
  });
});
