import { beforeAll, describe, expect, it } from 'vitest';
import { randomStream } from '../../src/data/random.ts';
import { sampleScene } from '../../src/data/sample.ts';
import { renderScene } from '../../src/data/scene.ts';
import { heldOutTriples, type Triple } from '../../src/data/split.ts';
import { type ClipScore, formatScores, scoreClip, summarizeScores } from '../../src/eval/scorer.ts';
import { drawnWorld } from '../data/drawn-world.ts';

const world = drawnWorld();
const FULL = { width: 128, height: 128 };
const FRAMES = 17;

/** Held-out scenes, every motion and colour among them, rendered as a perfect model would. */
const clips = heldOutTriples(world, 27, 1).map((triple, i) => {
  const scene = sampleScene(randomStream(2, i), world, { ...triple, size: i % 2 ? 'medium' : 'large' });
  return { triple, pixels: renderScene(world, scene, { frames: FRAMES }) };
});

const summary = (of: readonly { triple: Triple; pixels: Uint8Array }[], size = FULL) =>
  summarizeScores(of.map(({ triple, pixels }) => scoreClip(world, pixels, size, triple)));

/** Half the size, then a 5 × 5 box: about what a weak VAE leaves. */
function blurred(pixels: Uint8Array): Uint8Array {
  const out = new Uint8Array(FRAMES * 64 * 64 * 3);
  for (let frame = 0; frame < FRAMES; frame++) {
    for (let y = 0; y < 64; y++) {
      for (let x = 0; x < 64; x++) {
        for (let channel = 0; channel < 3; channel++) {
          let sum = 0;
          for (let k = 0; k < 36; k++) {
            const sy = Math.min(127, Math.max(0, 2 * y - 2 + Math.floor(k / 6)));
            const sx = Math.min(127, Math.max(0, 2 * x - 2 + (k % 6)));
            sum += pixels[((frame * 128 + sy) * 128 + sx) * 3 + channel]!;
          }
          out[((frame * 64 + y) * 64 + x) * 3 + channel] = Math.round(sum / 36);
        }
      }
    }
  }
  return out;
}

/** Gaussian noise of 10 grey levels. */
function noisy(pixels: Uint8Array): Uint8Array {
  const random = randomStream(4);
  return pixels.map((value) => {
    const gaussian = Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
    return Math.min(255, Math.max(0, Math.round(value + 10 * gaussian)));
  });
}

describe('scoreClip', () => {
  let real: ClipScore[];
  beforeAll(() => {
    real = clips.map(({ triple, pixels }) => scoreClip(world, pixels, FULL, triple));
  }, 60_000);

  it('gives real clips the ceiling', () => {
    const { subject, background, motion } = summarizeScores(real);
    expect(subject).toBeGreaterThanOrEqual(0.98);
    expect(background).toBe(1);
    expect(motion).toBeGreaterThanOrEqual(0.98);
  });

  it('gives shuffled prompts the floor', () => {
    const shuffled = clips.map(({ triple }, i) => {
      const { predicted } = real[i]!;
      const other = clips[(i + 13) % clips.length]!.triple;
      expect(other).not.toEqual(triple);
      const same = (part: keyof Triple) => predicted[part] === other[part];
      return { ...real[i]!, subject: same('subject'), background: same('background'), motion: same('motion') };
    });
    const { subject, background, motion, all } = summarizeScores(shuffled);
    for (const share of [subject, background, motion]) expect(share).toBeLessThan(0.4);
    expect(all).toBe(0);
  });

  it('still recognises clips that were blurred, or are noisy', () => {
    const half = clips.filter((_, i) => i % 2 === 0); // 14 clips: one may be missed
    for (const { subject, background, motion } of [
      summary(
        half.map(({ triple, pixels }) => ({ triple, pixels: blurred(pixels) })),
        { width: 64, height: 64 },
      ),
      summary(half.map(({ triple, pixels }) => ({ triple, pixels: noisy(pixels) }))),
    ]) {
      expect(subject).toBeGreaterThanOrEqual(0.9);
      expect(background).toBe(1);
      expect(motion).toBeGreaterThanOrEqual(0.9);
    }
  }, 60_000);

  it('tells a still picture from a moving one, and an empty clip from neither', () => {
    const triple: Triple = { subject: 'hook', background: 'white', motion: 'right' };
    const frame = renderScene(world, sampleScene(randomStream(9), world, triple), { frames: 1 });
    const frozen = Uint8Array.from({ length: FRAMES * frame.length }, (_, i) => frame[i % frame.length]!);
    expect(scoreClip(world, frozen, FULL, triple)).toMatchObject({
      subject: true,
      motion: false,
      predicted: { motion: 'still' },
    });
    const empty = new Uint8Array(FRAMES * 128 * 128 * 3).fill(246);
    const { background, likeness } = scoreClip(world, empty, FULL, triple);
    expect(background).toBe(true);
    expect(likeness).toBeLessThan(0.1);
  });

  it('recognises gradients', () => {
    const scene = sampleScene(randomStream(10), world, { subject: 'box', background: 'blue>pink', motion: 'up' });
    const score = scoreClip(world, renderScene(world, scene, { frames: FRAMES }), FULL, scene);
    expect(score).toMatchObject({ background: true, subject: true, motion: true });
  });

  it('refuses clips that are not whole frames, or a single frame', () => {
    const triple = clips[0]!.triple;
    expect(() => scoreClip(world, new Uint8Array(100), FULL, triple)).toThrow(/whole frames of 49152 bytes, got 100/);
    expect(() => scoreClip(world, new Uint8Array(128 * 128 * 3), FULL, triple)).toThrow(/at least two frames/);
  });

  it('prints a line per set', () => {
    const text = formatScores({ real: summarizeScores(real), 'no clips': summarizeScores([]) });
    expect(text.split('\n')).toHaveLength(3);
    expect(text).toMatch(/^real +27 +1\.00 +1\.00/m);
  });
});
