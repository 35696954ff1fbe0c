/** The two halves of an evaluation on the drawn world, over models whose scores are known beforehand. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { renderScene } from '../../src/data/scene.ts';
import { isHeldOut } from '../../src/data/split.ts';
import { floatsOf } from '../../src/eval/clip-pixels.ts';
import type { Context, EvaluationProgress } from '../../src/eval/context.ts';
import { evaluateGeneration } from '../../src/eval/evaluate-generation.ts';
import { evaluateReconstruction } from '../../src/eval/evaluate-reconstruction.ts';
import { SEAM_FRAMES, seamSteps } from '../../src/eval/reconstruction.ts';
import { floorOf, type ScoredClip } from '../../src/eval/scores.ts';
import { settle } from '../../src/eval/settings.ts';
import { SCORED_FRAMES, testCases } from '../../src/eval/test-set.ts';
import type { Pipeline } from '../../src/pipeline.ts';
import { PRESETS } from '../../src/presets.ts';
import type { Vae } from '../../src/vae/load.ts';
import { drawnWorld } from '../data/drawn-world.ts';

const world = drawnWorld();
const scratch = mkdtempSync(path.join(tmpdir(), 'eval-parts-'));
afterAll(() => rmSync(scratch, { recursive: true }));

// One batch and a part of the next.
const COUNT = 8;
const cases = testCases(world, COUNT, 5);

function contextOf(name: string, seen: EvaluationProgress[] = []): Context {
  const settings = settle({ model: 'm', data: 'd', triples: COUNT, steps: 4, guidanceScale: 2.5 }, PRESETS.mini);
  return { world, cases, settings, out: path.join(scratch, name), onProgress: (progress) => seen.push(progress) };
}

/**
 * A model that knows the answers: its velocity leads to latents that hold the prompt's number, divided by the guidance
 * scale (the empty prompt leads to 0, so guidance multiplies it back), and its decoder draws that prompt's scene.
 */
function knowingPipeline(guidanceScale: number): { pipeline: Pipeline<number[]>; batches: number[] } {
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
      const { scene } = cases[Math.round(latents[0]!) - 1]!;
      yield floatsOf(renderScene(world, scene, { frames: SCORED_FRAMES }));
    },
    close: async () => {},
  };
  return { pipeline, batches };
}

describe('evaluateGeneration', () => {
  it('gives a model that knows the answers the ceiling, in both languages, and wrong prompts the floor', async () => {
    const seen: EvaluationProgress[] = [];
    const context = contextOf('knowing', seen);
    const { pipeline, batches } = knowingPipeline(context.settings.guidanceScale);
    const { generated, files } = await evaluateGeneration(pipeline, context);
    for (const language of ['en', 'zh'] as const) {
      expect(generated.scores[language]).toMatchObject({ clips: COUNT, subject: 1, background: 1, motion: 1, all: 1 });
      const { clips, subject, background, motion, all } = generated.floor[language]!;
      expect(clips).toBe(COUNT * (COUNT - 1));
      for (const share of [subject, background, motion]) expect(share).toBeLessThan(0.3);
      expect(all).toBe(0);
    }
    expect(generated.scores.en?.byMotion).toEqual(generated.scores.zh?.byMotion);
    const kinds = Object.values(generated.scores.en!.byMotion);
    expect(kinds.reduce((sum, { clips }) => sum + clips, 0)).toBe(COUNT);
    // Conditional and unconditional halves of six clips, then of two.
    expect([...new Set(batches)]).toEqual([12, 4]);
    expect(generated.clips.map(({ language, seed }) => `${language} ${seed}`)).toEqual(
      ['en', 'zh'].flatMap((language) => cases.map((_, i) => `${language} ${5 + i}`)),
    );
    expect(seen.filter(({ done, total }) => done === total).map(({ stage }) => stage)).toEqual([
      'generated, en',
      'generated, zh',
    ]);
    for (const file of files) {
      const { width, height } = await sharp(file).metadata();
      expect(width).toBe(5 * 130 - 2);
      expect(height).toBeGreaterThan(COUNT * 128);
    }
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
    expect(existsSync(path.join(context.out, 'generated-en.png'))).toBe(false);
  });
});

describe('the floor', () => {
  it('is the share over every wrong pairing', () => {
    const clip = (subject: string, background: 'red' | 'blue', predicted = subject): ScoredClip => ({
      triple: { subject, background, motion: 'up' },
      score: {
        subject: predicted === subject,
        background: true,
        motion: true,
        predicted: { subject: predicted, background, motion: 'up' },
        likeness: 1,
      },
    });
    // Wrong pairings: 6. Subject: clip 3 shows a box where a disk was asked for, and so fits the prompt of clip 2.
    const floor = floorOf([clip('disk', 'red'), clip('box', 'red'), clip('ring', 'blue', 'box')]);
    expect(floor).toMatchObject({ clips: 6, subject: 1 / 6, background: 2 / 6, motion: 1, all: 0 });
  });
});

/** Keeps clips whole but for `darker` grey levels, and by a visible step after the first chunk. */
function darkeningVae(darker: number, jump = 0): Vae {
  const kept: Float32Array[] = [];
  return {
    config: { z_channels: 1 } as Vae['config'],
    moments: async () => new Float32Array(),
    encode: async (pixels, { frames }) => {
      kept.push(pixels);
      return new Float32Array((frames / 17) * 3 * 64).fill(kept.length);
    },
    async *decode(latents) {
      const pixels = kept[latents[0]! - 1]!;
      const half = 17 * 3 * 128 * 128;
      for (let from = 0; from < pixels.length; from += half)
        yield pixels.slice(from, from + half).map((x) => x - (darker + (from > 0 ? jump : 0) - 0.5) / 127.5);
    },
    close: async () => {},
  };
}

describe('evaluateReconstruction', () => {
  it('measures what is lost, and scores what is left as the real clips', async () => {
    const few = { ...contextOf('vae'), cases: cases.slice(0, 3) };
    const { vaeCeiling, reconstruction, files } = await evaluateReconstruction(darkeningVae(5, 8), few);
    const { trained, unseen, seam } = reconstruction;
    // 5 grey levels everywhere but where black ends: 20 log10(255 / 5).
    expect(trained.psnr).toBeGreaterThan(34.1);
    expect(trained.psnr).toBeLessThan(35);
    expect(trained.ssim).toBeGreaterThan(0.95);
    expect(trained.clips).toBe(3);
    expect(Object.values(trained.byMotion).reduce((sum, { clips }) => sum + clips, 0)).toBe(3);
    expect(unseen).toMatchObject({ clips: 3 });
    expect(vaeCeiling).toMatchObject({ subject: 1, background: 1 });
    expect(seam.clips).toBe(3);
    expect(seam.real.at).toBeGreaterThan(0.7);
    expect(seam.real.at).toBeLessThan(1.4);
    expect(seam.reconstructed.at).toBeGreaterThan(3 * seam.real.at);
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

describe('the test set', () => {
  it('is held out, distinct, and a smaller one begins a larger one', () => {
    for (const { triple, scene } of cases) {
      expect(isHeldOut(triple)).toBe(true);
      expect(scene).toMatchObject(triple);
    }
    expect(new Set(cases.map(({ triple }) => Object.values(triple).join())).size).toBe(COUNT);
    expect(testCases(world, 3, 5)).toEqual(cases.slice(0, 3));
    expect(testCases(world, COUNT, 6)).not.toEqual(cases);
  });

  it.each([0, 1, 2.5, Number.NaN, 1e6])('refuses %s cases', (count) => {
    expect(() => testCases(world, count, 0)).toThrow(/triples must be a whole number from 2 to \d+/);
  });
});
