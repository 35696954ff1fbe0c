/** Guidance as a wrapper: its formula, its two special scales, and that it never runs a batch it does not need. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type BatchedVelocity, guided } from '../../src/diffusion/guidance.ts';

/** Conditional x + 1, unconditional x - 1; remembers the batches that it was asked for. */
function pairModel(): { model: BatchedVelocity; batches: number[] } {
  const batches: number[] = [];
  const model: BatchedVelocity = async (latents, batch) => {
    batches.push(batch);
    const n = latents.length / batch;
    return latents.map((x, i) => (i < n ? x + 1 : x - 1));
  };
  return { model, batches };
}

it('is u + w (c - u), conditional first', async () => {
  const { model, batches } = pairModel();
  expect([...(await guided(model, 9)(Float32Array.of(0, 10), 0.5))]).toEqual([17, 27]);
  expect(batches).toEqual([2]);
});

it('at scale 1 and below runs the conditional batch alone', async () => {
  for (const scale of [1, 0.5, 0]) {
    const { model, batches } = pairModel();
    expect([...(await guided(model, scale)(Float32Array.of(3), 0.5))]).toEqual([4]);
    expect(batches).toEqual([1]);
  }
});

it('with equal predictions is that prediction at every scale', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.float({ min: -10, max: 10, noNaN: true }),
      fc.double({ min: 1.01, max: 30, noNaN: true }),
      async (x, w) => {
        const same: BatchedVelocity = async (latents) => latents;
        // A sum makes -0 a 0.
        expect([...(await guided(same, w)(Float32Array.of(x), 0))]).toEqual([Math.fround(x) + 0]);
      },
    ),
  );
});

it('passes time on and refuses a model that returns one prediction for two', async () => {
  const times: number[] = [];
  const short: BatchedVelocity = async (latents, batch, t) => {
    times.push(t);
    return latents.subarray(0, latents.length / batch);
  };
  await expect(guided(short, 2)(Float32Array.of(1, 2), 0.25)).rejects.toThrow('must return 4 values, got 2');
  expect(times).toEqual([0.25]);
});
