import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gaussian } from '../../src/diffusion/noise.ts';
import { type Dit, loadDit, type VelocityCall } from '../../src/dit/load.ts';
import { StepCache } from '../../src/dit/step-cache.ts';
import { compare } from '../../src/parity/compare.ts';
import { float32 } from '../../src/runtime/value.ts';

describe('what a run remembers', () => {
  const vector = (...values: number[]) => float32(Float32Array.from(values), [values.length]);

  it('begins with a full step, and is near where the change is, relative to that of the last full step', () => {
    const cache = new StepCache(0.1);
    expect(cache.near(vector(1, 1))).toBeUndefined();
    const rest = vector(5, 6);
    cache.took({ change: vector(1, -1), rest });
    expect(cache.near(vector(1.05, -1.1))).toBe(rest);
    expect(cache.near(vector(1.2, -1.2))).toBeUndefined();
    expect(cache.near(vector(1, -1, 1))).toBeUndefined();
    cache.took();
    expect([cache.wasFull, cache.steps]).toEqual([false, { full: 1, skipped: 1 }]);
  });

  it('is never near at threshold 0, and refuses one below', () => {
    const cache = new StepCache(0);
    cache.took({ change: vector(1), rest: vector(1) });
    expect(cache.near(vector(1))).toBeUndefined();
    expect(() => new StepCache(-1)).toThrow('step cache: threshold must be a number from 0, got -1');
    expect(() => new StepCache(Number.NaN)).toThrow('got NaN');
  });
});

describe('in the denoiser', () => {
  const checkpoint = new URL('../../models/mini', import.meta.url).pathname;
  let dit: Dit;
  let call: VelocityCall;
  beforeAll(async () => {
    dit = await loadDit(checkpoint, { device: 'cpu', threads: 1 });
    const [llmWidth, clipWidth] = dit.config.caption_channels as [number, number];
    const states = (length: number, width: number, seed: number) =>
      float32(gaussian({ seed, length: length * width }), [1, length, width]);
    const shape = { frames: 3, channels: dit.config.in_channels, height: 2, width: 4 };
    call = {
      latents: gaussian({ seed: 1, length: 3 * shape.channels * 8 }),
      batch: 1,
      shape,
      t: 0.5,
      text: { llm: states(5, llmWidth, 2), clip: states(8, clipWidth, 3), lengths: [5] },
    };
  });
  afterAll(() => dit.close());

  it('full steps give the velocity of one without a cache', async () => {
    const cache = new StepCache(0);
    const plain = await dit.velocity(call);
    for (let step = 0; step < 2; step++)
      expect(compare('full', await dit.velocity({ ...call, cache }), plain)).toMatchObject({ ok: true });
    expect(cache.steps).toEqual({ full: 2, skipped: 0 });
  });

  it('a skipped step on the same latents gives it too, on others nearly, as long as they are near', async () => {
    const cache = new StepCache(0.2);
    const plain = await dit.velocity({ ...call, cache });
    expect(compare('skipped', await dit.velocity({ ...call, cache }), plain)).toMatchObject({ ok: true });
    const later = { ...call, t: 0.51, latents: call.latents.map((x, i) => x + 0.01 * plain[i]!) };
    const guess = await dit.velocity({ ...later, cache });
    expect(cache.steps).toEqual({ full: 1, skipped: 2 });
    const exact = await dit.velocity(later);
    expect(guess).not.toEqual(exact);
    expect(distance(guess, exact)).toBeLessThan(0.1 * distance(exact, new Float32Array(exact.length)));
    await dit.velocity({ ...call, t: 0, latents: call.latents.map((x) => -3 * x), cache });
    expect(cache.steps).toEqual({ full: 2, skipped: 2 });
  });
});

const distance = (a: Float32Array, b: Float32Array): number =>
  Math.sqrt(a.reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0));
