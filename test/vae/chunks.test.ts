/** Chunk arithmetic, and the seams as the official code blends them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blendSeams, decodedFrames, encodedFrames, latentChunks, pixelChunks } from '../../src/vae/chunks.ts';

async function blend(chunks: Float32Array[], frameSize: number): Promise<number[]> {
  const out: number[] = [];
  for await (const piece of blendSeams(chunks, frameSize)) out.push(...piece);
  return out;
}

/** One value a frame, `length` frames a chunk, 1 at frame `at` and 0 elsewhere. */
const impulse = (at: number, length = 17): Float32Array[] =>
  [0, 1, 2].map((chunk) => Float32Array.from({ length }, (_, i) => (chunk * length + i === at ? 1 : 0)));

describe('blendSeams', () => {
  it.each([
    [16, { 16: 0.76, 17: 0.4 }],
    [17, { 16: 0.24, 17: 0.6 }],
    [33, { 33: 0.76, 34: 0.4 }],
    [34, { 33: 0.24, 34: 0.6 }],
    [5, { 5: 1 }],
    [0, { 0: 1 }],
    [50, { 50: 1 }],
  ])('an impulse at frame %i', async (at, expected) => {
    const frames = await blend(impulse(at), 1);
    const seen = Object.fromEntries(frames.flatMap((value, i) => (value === 0 ? [] : [[i, Number(value.toFixed(6))]])));
    expect(seen).toEqual(expected);
  });

  it('is the whole-clip rule: first all first frames from untouched last ones, then those last ones', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 3 }),
        fc.nat(1e6),
        async (chunks, size, seed) => {
          const clip = Float32Array.from({ length: chunks * 17 * size }, (_, i) => Math.fround(Math.sin(seed + 3 * i)));
          const whole = Float32Array.from(clip);
          const mix = (to: number, from: number): void => {
            for (let i = 0; i < size; i++)
              whole[to * size + i] =
                Math.fround(whole[to * size + i]! * Math.fround(0.6)) +
                Math.fround(whole[from * size + i]! * Math.fround(1 - 0.6));
          };
          for (let seam = 17; seam < chunks * 17; seam += 17) mix(seam, seam - 1);
          for (let seam = 17; seam < chunks * 17; seam += 17) mix(seam - 1, seam);
          const pieces = Array.from({ length: chunks }, (_, i) => clip.slice(i * 17 * size, (i + 1) * 17 * size));
          expect(await blend(pieces, size)).toEqual([...whole]);
        },
      ),
    );
  });

  it('leaves a single frame as it is', async () => {
    expect(await blend([Float32Array.of(1, 2, 3)], 3)).toEqual([1, 2, 3]);
  });
});

describe.each([
  ['latentChunks', latentChunks, 3],
  ['pixelChunks', pixelChunks, 17],
] as const)('%s', (_, chunksOf, size) => {
  it('adds up and only its last is short', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), (total) => {
        const lengths = chunksOf(total);
        expect(lengths.reduce((a, b) => a + b, 0)).toBe(total);
        expect(lengths.slice(0, -1).every((length) => length === size)).toBe(true);
        expect(lengths.at(-1)).toBeGreaterThan(0);
        expect(lengths.at(-1)).toBeLessThanOrEqual(size);
      }),
    );
  });
});

it('decoding and encoding of a chunk undo each other, and the encoder takes no other lengths', () => {
  for (const latents of [1, 2, 3]) expect(encodedFrames(decodedFrames(latents))).toBe(latents);
  const taken = Array.from({ length: 17 }, (_, i) => i + 1).filter((frames) => encodedFrames(frames) !== undefined);
  expect(taken).toEqual([1, 2, 3, 4, 9, 10, 11, 12, 17]);
});
