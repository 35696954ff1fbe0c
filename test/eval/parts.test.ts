/** The halves of an evaluation on the drawn world, over models whose scores are known beforehand. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { renderScene } from '../../src/data/scene.ts';
import { floatsOf } from '../../src/eval/clip-pixels.ts';
import type { Context, EvaluationProgress } from '../../src/eval/context.ts';
import { evaluateGeneration } from '../../src/eval/evaluate-generation.ts';
import { evaluateReconstruction } from '../../src/eval/evaluate-reconstruction.ts';
import type { FeatureNetwork } from '../../src/eval/feature-network.ts';
import { knowledgeOf } from '../../src/eval/knowledge.ts';
import { evaluatePlainPrompts, PLAIN_PROMPTS } from '../../src/eval/plain-prompts.ts';
import { SEAM_FRAMES, seamSteps } from '../../src/eval/reconstruction.ts';
import { settle } from '../../src/eval/settings.ts';
import { testCases } from '../../src/eval/test-set.ts';
import type { Pipeline } from '../../src/pipeline.ts';
import { PRESETS } from '../../src/presets.ts';
import type { Vae } from '../../src/vae/load.ts';
import { drawnWorld } from '../data/drawn-world.ts';

const known = knowledgeOf(drawnWorld(), undefined);
const scratch = mkdtempSync(path.join(tmpdir(), 'eval-parts-'));
afterAll(() => rmSync(scratch, { recursive: true }));

// One batch and a part of the next.
const COUNT = 7;
const FRAMES = 17;
const main = testCases(known, 'main', { count: COUNT, seed: 5, frames: FRAMES });
const pairs = testCases(known, 'pairs', { count: 2, seed: 5, frames: FRAMES });

function contextOf(name: string, seen: EvaluationProgress[] = []): Context {
  const choices = {
    model: 'm',
    data: 'd',
    triples: COUNT,
    frames: FRAMES,
    seed: 5,
    steps: 2,
    guidanceScale: 2.5,
    languages: ['en'] as const,
  };
  const settings = settle(choices, PRESETS.mini);
  const cases = { main, paraphrased: [], sceneries: [], pairs };
  return { known, cases, settings, out: path.join(scratch, name), onProgress: (progress) => seen.push(progress) };
}

/**
 * A model that knows the answers: its velocity leads to latents that hold the prompt's number, divided by the guidance
 * scale (the empty prompt leads to 0, so guidance multiplies it back), and its decoder draws that prompt's scene.
 */
function knowingPipeline(guidanceScale: number): { pipeline: Pipeline<number[]>; batches: number[] } {
  const cases = [...main, ...pairs];
  const prompts = new Map(cases.flatMap((each, i) => Object.values(each.prompts).map((prompt) => [prompt, i + 1])));
  const batches: number[] = [];
  const pipeline: Pipeline<number[]> = {
    directory: '/models/knowing',
    preset: PRESETS.mini,
    previews: { missing: 'no previews' },
    latentChannels: 2,
    unknownWords: () => [],
    encodeText: async (texts) => texts.map((text) => prompts.get(text) ?? 0),
    async velocity({ latents, batch, t, text }) {
      batches.push(batch);
      const size = latents.length / batch;
      return latents.map((x, i) => (text[Math.floor(i / size)]! / guidanceScale - x) / (1 - t));
    },
    async *decode(latents) {
      const { scene } = cases[Math.max(0, Math.round(latents[0]!) - 1)]!;
      yield floatsOf(renderScene(known.world, scene, { frames: FRAMES }));
    },
    close: async () => {},
  };
  return { pipeline, batches };
}

describe('evaluateGeneration', () => {
  it('gives a model that knows the answers the ceiling, and wrong prompts the floor', async () => {
    const seen: EvaluationProgress[] = [];
    const context = contextOf('knowing', seen);
    const { pipeline, batches } = knowingPipeline(context.settings.guidanceScale);
    const { sets, grids, files } = await evaluateGeneration(pipeline, context);
    expect(sets.map(({ set, language }) => `${set} ${language}`)).toEqual(['main en', 'pairs en']);
    for (const { scores, floor } of sets.slice(0, 1)) {
      expect(scores).toMatchObject({ clips: COUNT, subject: 1, background: 1, motion: 1, all: 1, count: 1, camera: 1 });
      expect(floor.clips).toBe(COUNT * (COUNT - 1));
      for (const share of [floor.subject, floor.background, floor.motion]) expect(share).toBeLessThan(0.3);
      expect(floor.all).toBe(0);
    }
    expect(sets[1]!.scores).toMatchObject({ clips: 2, count: 1, subject: 1, place: 1 });
    expect(sets[1]!.clips[0]!.asked).toMatchObject({ second: pairs[0]!.scene.second!.subject });
    const kinds = Object.values(sets[0]!.scores.by.motion);
    expect(kinds.reduce((sum, { clips }) => sum + clips, 0)).toBe(COUNT);
    // Conditional and unconditional halves of six clips, then of one; two pairs.
    expect([...new Set(batches)]).toEqual([12, 2, 4]);
    expect(sets[0]!.clips.map(({ seed }) => seed)).toEqual(main.map((_, i) => 5 + i));
    expect(seen.filter(({ done, total }) => done === total).map(({ stage }) => stage)).toEqual([
      ...['main, en', 'pairs, en'],
    ]);
    expect(grids.map(({ clips }) => clips.length)).toEqual([COUNT, 2]);
    for (const { file, caption, met } of grids[0]!.clips) {
      expect(met).toBe(true);
      expect(main.map(({ prompts }) => prompts.en)).toContain(caption);
      expect((await sharp(file, { animated: true }).metadata()).pages).toBe(FRAMES);
    }
    const { width, height } = await sharp(files[0]!).metadata();
    expect(width).toBe(5 * 130 - 2);
    expect(height).toBeGreaterThan(COUNT * 128);
  });

  it('stops between clips', async () => {
    const stop = new AbortController();
    const context: Context = {
      ...contextOf('stopped'),
      signal: stop.signal,
      onProgress: ({ done }) => done === 2 && stop.abort(),
    };
    const run = evaluateGeneration(knowingPipeline(context.settings.guidanceScale).pipeline, context);
    await expect(run).rejects.toMatchObject({ kind: 'aborted' });
    expect(existsSync(path.join(context.out, 'generated-main-en.png'))).toBe(false);
  });
});

it('plain prompts become clips and a sheet that does not tell them', async () => {
  const context = contextOf('plain');
  const twoFrames = floatsOf(renderScene(known.world, main[0]!.scene, { frames: 2 }));
  async function* decode() {
    yield twoFrames;
  }
  const { grid, files } = await evaluatePlainPrompts({ ...knowingPipeline(2.5).pipeline, decode }, context);
  expect(grid.clips.map(({ caption }) => caption)).toEqual([...PLAIN_PROMPTS]);
  expect(new Set(PLAIN_PROMPTS).size).toBe(24);
  expect(path.basename(grid.clips[23]!.file)).toBe('24.webp');
  for (const { file } of grid.clips) expect(existsSync(file)).toBe(true);
  expect(readFileSync(grid.clips[0]!.file).includes('panda')).toBe(false);
  expect(existsSync(files[0]!)).toBe(true);
});

/** Keeps clips whole but for `darker` grey levels, and by a visible step after the first chunk. */
function darkeningVae(darker: number, jump = 0): Vae {
  const kept: Float32Array[] = [];
  return {
    config: { z_channels: 1 } as Vae['config'],
    moments: async () => new Float32Array(),
    encode: async (pixels, { frames }) => {
      kept.push(pixels);
      // As a multiple of 1/16, which rounding to 8 bits leaves recognisable.
      return new Float32Array((frames / 17) * 3 * 64).fill(kept.length / 16);
    },
    async *decode(latents) {
      const pixels = kept[Math.round(latents[0]! * 16) - 1]!;
      const half = 17 * 3 * 128 * 128;
      for (let from = 0; from < pixels.length; from += half)
        yield pixels.slice(from, from + half).map((x) => x - (darker + (from > 0 ? jump : 0) - 0.5) / 127.5);
    },
    close: async () => {},
  };
}

/** Two features a frame: its brightness, and how it differs from its left to its right half. */
const features: FeatureNetwork = {
  name: 'halves',
  width: 2,
  async features(pixels, { width, height, frames }) {
    const out = new Float32Array(frames * 2);
    for (let i = 0; i < pixels.length; i++) {
      const t = Math.floor(i / (width * height * 3));
      out[t * 2]! += pixels[i]! / 1e5;
      out[t * 2 + 1]! += ((Math.floor(i / 3) % width < width / 2 ? 1 : -1) * pixels[i]!) / 1e5;
    }
    return out;
  },
};

describe('evaluateReconstruction', () => {
  it('measures what is lost, and scores what is left as the real clips', async () => {
    const whole = contextOf('vae');
    const few: Context = { ...whole, features, cases: { ...whole.cases, main: main.slice(0, 2) } };
    const { vaeCeiling, reconstruction, files } = await evaluateReconstruction(darkeningVae(5, 8), few);
    const { trained, unseen, seam, frechet, coded } = reconstruction;
    // 5 grey levels everywhere but where black ends: 20 log10(255 / 5).
    expect(trained.psnr).toBeGreaterThan(34.1);
    expect(trained.psnr).toBeLessThan(35);
    expect(trained.ssim).toBeGreaterThan(0.95);
    expect(trained.clips).toBe(2);
    expect(Object.values(trained.byMotion).reduce((sum, { clips }) => sum + clips, 0)).toBe(2);
    expect(unseen).toMatchObject({ clips: 2 });
    expect(vaeCeiling).toMatchObject({ subject: 1, background: 1 });
    // All frames are darker by as much, so their mean brightness moves by 5 levels and nothing else does.
    expect(frechet).toBeCloseTo(((5 * 128 * 128 * 3) / 1e5) ** 2, 0);
    expect(coded).toMatchObject({ clips: 2 });
    const { latents, h264 } = coded as Extract<typeof coded, { h264: unknown }>;
    expect(h264.bytes).toBeGreaterThan(0);
    expect(latents.bytes).toBeLessThan(100); // 576 equal numbers
    expect(h264.psnr).toBeGreaterThan(5);
    expect(seam.clips).toBe(2);
    expect(seam.real.at).toBeGreaterThan(0.7);
    expect(seam.real.at).toBeLessThan(1.4);
    expect(seam.reconstructed.at).toBeGreaterThan(2 * seam.real.at);
    expect(seam.reconstructed.before).toBeCloseTo(seam.real.before, 1);
    expect(existsSync(files[0]!)).toBe(true);
  });
});

it('seam steps are relative to the steps away from the seam', () => {
  // Frame t is as bright as the sum of steps so far: 2 everywhere, 3 before the seam, 10 at it, 1 after it.
  const step = (t: number) => (t === 15 ? 3 : t === 16 ? 10 : t === 17 ? 1 : 2);
  const clip = new Uint8Array(SEAM_FRAMES * 128 * 128 * 3);
  let level = 0;
  for (let t = 0; t < SEAM_FRAMES; t++) {
    clip.fill(level, t * 128 * 128 * 3, (t + 1) * 128 * 128 * 3);
    level += step(t);
  }
  expect(seamSteps([clip])).toEqual({ before: 1.5, at: 5, after: 0.5 });
});
