/** Tiles on the mini model's own videos: how near they come to the whole frame. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { generate } from '../../src/generate.ts';
import { readLatents } from '../../src/latents.ts';
import { loadPipeline } from '../../src/pipeline.ts';
import { presetOf } from '../../src/presets.ts';

const MODEL = new URL('../../models/mini', import.meta.url).pathname;
const PROMPTS = ['a red apple bounces on a blue background', 'a rocket moves up on a black background'];

it('are within 45 dB of it', async () => {
  const scratch = await mkdtemp(path.join(tmpdir(), 'tiles-'));
  const pipeline = await loadPipeline(MODEL, { device: 'cpu', threads: 1, preset: presetOf(MODEL) });
  try {
    for (const [i, prompt] of PROMPTS.entries()) {
      const saveLatents = path.join(scratch, `${i}.safetensors`);
      const request = { prompt, steps: 6, out: path.join(scratch, `${i}.gif`), saveLatents };
      for await (const _ of generate(request, { pipeline }));
      const { latents, shape } = await readLatents(saveLatents);
      const decoded = async (tile?: number): Promise<Float32Array> => {
        const pieces: number[] = [];
        for await (const piece of pipeline.decode(latents, shape, { tile }))
          for (const value of piece) pieces.push(value);
        return Float32Array.from(pieces);
      };
      const [whole, tiled] = [await decoded(), await decoded(96)];
      expect(tiled).not.toEqual(whole);
      expect(decibels(tiled, whole)).toBeGreaterThan(45);
    }
  } finally {
    await pipeline.close();
    await rm(scratch, { recursive: true });
  }
});

/** PSNR of pixels in [-1, 1], clamped as a file would hold them. */
function decibels(a: Float32Array, b: Float32Array): number {
  const clamp = (value: number): number => Math.min(1, Math.max(-1, value));
  const squares = a.reduce((sum, value, i) => sum + (clamp(value) - clamp(b[i]!)) ** 2, 0);
  return 10 * Math.log10((4 * a.length) / squares);
}
