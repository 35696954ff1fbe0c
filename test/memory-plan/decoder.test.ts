/** The decoder's part of a plan on the shipped model: whole, in parts, in tiles, refused; and that a run keeps to it. */
import { describe, expect, it } from 'vitest';
import { formatPlan } from '../../src/memory-plan/format.ts';
import { planMemory } from '../../src/memory-plan/plan.ts';
import { loadPipeline } from '../../src/pipeline.ts';
import { presetOf } from '../../src/presets.ts';

const MODEL = new URL('../../models/mini', import.meta.url).pathname;
const preset = presetOf(MODEL);
const video = { ...preset, frames: 34, height: 256, width: 256 };
const decoderIn = async (memory: number, tile?: number) => {
  const plan = await planMemory(MODEL, video, { device: 'cpu', memory, tile, decodeOnly: true });
  return { plan, ...plan.networks.find(({ component }) => component === 'vae')! };
};

describe('the decoder', () => {
  it('works through whole chunks, then frames, then tiles as memory shrinks, and never above it', async () => {
    const [whole, frames, tiles] = await Promise.all([8e9, 0.9e9, 0.37e9].map((memory) => decoderIn(memory)));
    expect(whole!.decode).toMatchObject({ whole: true });
    expect(frames!.decode).toMatchObject({ whole: false, tiles: [1, 1] });
    expect(tiles!.decode!.tiles[0] * tiles!.decode!.tiles[1]).toBeGreaterThan(1);
    for (const { plan, peak } of [whole!, frames!, tiles!]) expect(peak).toBeLessThanOrEqual(plan.memory);
    const rates = { flops: 1e11, decoding: 1e9, reading: 1e9 };
    expect(formatPlan(tiles!.plan, rates)).toMatch(/VAE decoder .* \dx\d tiles, \d+ frames at a time/);
  });

  it('is bounded by a tile whatever the memory', async () => {
    const { decode } = await decoderIn(8e9, 128);
    expect(decode).toMatchObject({ whole: false });
    expect(decode!.tiles[0] * decode!.tiles[1]).toBeGreaterThan(1);
  });

  it('refuses what no plan fits, with an amount that does', async () => {
    const error = (await decoderIn(0.2e9).catch((e) => e)) as { message: string; hint: string };
    expect(error.message).toMatch(/^plan: memory must be at least \d+ MB, the least that the VAE decoder takes/);
    const gigabytes = Number(/memory ([\d.]+)GB/.exec(error.hint)![1]);
    expect((await decoderIn(gigabytes * 1e9)).decode).toBeDefined();
  });

  it('runs as it was planned', async () => {
    const small = { ...preset, height: 96, width: 96 };
    const decoded: Float32Array[] = [];
    for (const memory of [8e9, 0.36e9]) {
      const { placements } = await planMemory(MODEL, small, { device: 'cpu', memory });
      const pipeline = await loadPipeline(MODEL, { device: 'cpu', preset, placements, threads: 1 });
      const shape = { frames: 3, channels: pipeline.latentChannels, height: 6, width: 6 };
      const latents = Float32Array.from({ length: 3 * shape.channels * 36 }, (_, i) => Math.sin(i));
      const video = new Float32Array(17 * 3 * 96 * 96);
      let at = 0;
      for await (const piece of pipeline.decode(latents, shape)) {
        video.set(piece, at);
        at += piece.length;
      }
      await pipeline.close();
      decoded.push(video);
    }
    // Frames one after another change nothing.
    expect(decoded[1]).toEqual(decoded[0]);
  });
});
