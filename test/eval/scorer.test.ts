import { beforeAll, describe, expect, it } from 'vitest';
import { CAMERAS } from '../../src/data/camera.ts';
import { MOTIONS } from '../../src/data/motion.ts';
import { randomStream } from '../../src/data/random.ts';
import { PLAIN_MIX, type SampleOptions, sampleScene } from '../../src/data/sample.ts';
import { PLACES, renderScene, type Scene } from '../../src/data/scene.ts';
import { SCENERIES } from '../../src/data/scenery.ts';
import { heldOutTriples } from '../../src/data/split.ts';
import { judge, type Reading, readClip } from '../../src/eval/scorer.ts';
import { floorOf, type ScoredClip, scoresOf } from '../../src/eval/scores.ts';
import { centredScene, drawnWorld } from '../data/drawn-world.ts';

const world = drawnWorld();
const FULL = { width: 128, height: 128 };
const FRAMES = 17;

type Clip = { readonly scene: Scene; readonly pixels: Uint8Array };

function clipOf(stream: number, options: SampleOptions, frames = FRAMES): Clip {
  const scene = sampleScene(randomStream(2, stream), world, { mix: PLAIN_MIX, ...options, frames });
  return { scene, pixels: renderScene(world, scene, { frames }) };
}

/** Held-out scenes, every motion and colour among them, rendered as a perfect model would. */
const clips = heldOutTriples(world, 18, 1).map((triple, i) =>
  clipOf(i, { ...triple, size: i % 2 ? 'medium' : 'large' }),
);

const read = ({ scene, pixels }: Clip, size = FULL): ScoredClip => {
  const reading = readClip(world, pixels, size);
  return { scene, reading, verdict: judge(reading, scene) };
};

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

describe('readClip', () => {
  let real: ScoredClip[];
  beforeAll(() => {
    real = clips.map((clip) => read(clip));
  });

  it('gives real clips the ceiling', () => {
    const scores = scoresOf(real);
    expect(scores).toMatchObject({ clips: 18, background: 1, camera: 1, count: 1, place: 1 });
    expect(scores.subject).toBeGreaterThanOrEqual(0.98);
    expect(scores.motion).toBe(1);
    expect(scores.measures.identity).toBe(1);
    expect(scores.measures.roughness).toBeLessThan(1.5);
    expect(scores.measures.flicker?.background).toBe(0);
    expect(Object.keys(scores.by.camera)).toEqual(['static']);
  });

  it('gives shuffled prompts the floor', () => {
    const { clips: pairings, subject, background, motion, all } = floorOf(real);
    expect(pairings).toBe(18 * 17);
    for (const share of [subject, background, motion]) expect(share).toBeLessThan(0.2);
    expect(all).toBe(0);
  });

  it('still recognises clips that were blurred, or are noisy', () => {
    const some = clips.filter((_, i) => i % 3 === 0); // 6 clips: one may be missed
    for (const { subject, background, motion } of [
      scoresOf(some.map((clip) => read({ ...clip, pixels: blurred(clip.pixels) }, { width: 64, height: 64 }))),
      scoresOf(some.map((clip) => read({ ...clip, pixels: noisy(clip.pixels) }))),
    ]) {
      expect(subject).toBeGreaterThanOrEqual(0.8);
      expect(background).toBe(1);
      expect(motion).toBeGreaterThanOrEqual(0.8);
    }
  });

  it('fits every motion at a slow and at a fast pace, in longer clips too', () => {
    for (const [i, motion] of MOTIONS.entries()) {
      const options = { subject: 'box', background: 'white', motion, speed: i % 2 ? 'slow' : 'fast' } as const;
      const clip = clipOf(50 + i, options, i % 5 === 1 ? 68 : 34);
      const { reading } = read(clip);
      expect(reading.motion).toBe(motion);
      if (motion !== 'still') expect(Math.abs(Math.log(reading.pace / clip.scene.pace))).toBeLessThan(0.15);
    }
  });

  it('chooses among the motions that it is given', () => {
    const { pixels } = clipOf(70, { subject: 'hook', background: 'red', motion: 'circle' });
    expect(readClip(world, pixels, FULL, ['still', 'left']).motion).toMatch(/still|left/);
  });

  it('tells a still picture from a moving one, and an empty clip from neither', () => {
    const { scene, pixels } = clipOf(9, { subject: 'hook', background: 'white', motion: 'right' });
    const frame = pixels.subarray(0, 128 * 128 * 3);
    const frozen = Uint8Array.from({ length: FRAMES * frame.length }, (_, i) => frame[i % frame.length]!);
    const { reading, verdict } = read({ scene, pixels: frozen });
    expect(verdict).toMatchObject({ subject: true, motion: false });
    expect(reading).toMatchObject({ motion: 'still', flicker: { all: 0 } });
    const empty = readClip(world, new Uint8Array(FRAMES * 128 * 128 * 3).fill(246), FULL);
    expect(empty.background).toBe('white');
    expect(empty.likeness).toBeLessThan(0.1);
  });

  it('notices a subject that turns into another', () => {
    const [a, b] = (['box', 'ring'] as const).map((subject) =>
      clipOf(80, { subject, background: 'purple', motion: 'still', size: 'large' }),
    );
    const half = 8 * 128 * 128 * 3;
    const pixels = Uint8Array.from([...a!.pixels.subarray(0, half), ...b!.pixels.subarray(half)]);
    expect(readClip(world, pixels, FULL).identity).toBe(false);
  });

  it('recognises gradients', () => {
    const { verdict } = read(clipOf(10, { subject: 'box', background: 'blue>pink', motion: 'up' }));
    expect(verdict).toMatchObject({ background: true, subject: true, motion: true });
  });

  it('recognises every scenery, and every camera over it', () => {
    const results = SCENERIES.map((background, i) =>
      read(clipOf(20 + i, { subject: 'ring', background, motion: 'still', camera: CAMERAS[i]! })),
    );
    const { background, camera, motion, count } = scoresOf(results);
    expect([background, camera, count]).toEqual([1, 1, 1]);
    expect(motion).toBeGreaterThanOrEqual(0.8);
    expect(results.map(({ reading }) => reading.flicker === undefined)).toEqual([false, true, true, true, true]);
  });

  it('tells two subjects from one, which they are and where', () => {
    const options = { subject: 'box', background: 'white', motion: 'right', mix: { ...PLAIN_MIX, pairs: 1 } } as const;
    const places = new Set<string>();
    for (let i = 0; places.size < PLACES.length; i++) {
      const clip = clipOf(100 + i, options);
      const { place, subject: other } = clip.scene.second!;
      if (places.has(place)) continue;
      places.add(place);
      const { reading, verdict } = read(clip);
      expect(verdict).toMatchObject({ count: true, subject: true, place: true, motion: true });
      // Asked the other way round, the same two subjects stand in the wrong places.
      const swapped: Scene = { ...clip.scene, subject: other, second: { ...clip.scene.second!, subject: 'box' } };
      expect(judge(reading, swapped)).toMatchObject({ subject: true, place: false });
      const { second: _, ...alone } = clip.scene;
      expect(judge(reading, alone).count).toBe(false);
    }
  });

  it('refuses clips that are not whole frames, or a single frame', () => {
    expect(() => readClip(world, new Uint8Array(100), FULL)).toThrow(/whole frames of 49152 bytes, got 100/);
    expect(() => readClip(world, new Uint8Array(128 * 128 * 3), FULL)).toThrow(/at least two frames/);
  });
});

describe('judge', () => {
  const reading: Reading = {
    ...{ background: 'red', camera: 'static', subject: 'box', likeness: 1, motion: 'up' },
    ...{ pace: 1, roughness: 0, identity: true },
  };

  it('expects one subject and a still camera where nothing else is asked for', () => {
    const asked = { subject: 'box', background: 'red', motion: 'up' } as const;
    expect(Object.values(judge(reading, asked))).toEqual([true, true, true, true, true, true]);
    expect(judge(reading, { ...asked, camera: 'zoom-in' }).camera).toBe(false);
    expect(judge(reading, { ...asked, motion: 'down' })).toMatchObject({ motion: false, subject: true });
  });
});

describe('the floor', () => {
  it('is the share over every wrong pairing', () => {
    const clip = (subject: string, background: 'red' | 'blue', seen = subject): ScoredClip => {
      const scene = { ...clips[0]!.scene, subject, background, motion: 'up' as const };
      const reading: Reading = {
        ...{ background, camera: 'static', subject: seen, likeness: 1, motion: 'up' },
        ...{ pace: 1, roughness: 0, identity: true },
      };
      return { scene, reading, verdict: judge(reading, scene) };
    };
    // Wrong pairings: 6. Subject: clip 3 shows a box where a disk was asked for, and so fits the prompt of clip 2.
    const floor = floorOf([clip('disk', 'red'), clip('box', 'red'), clip('ring', 'blue', 'box')]);
    expect(floor).toMatchObject({ clips: 6, subject: 1 / 6, background: 2 / 6, motion: 1, all: 0, camera: 1 });
  });
});

describe('flicker', () => {
  const flickerOf = (pixels: Uint8Array) => readClip(world, pixels, FULL).flicker!;
  const real = renderScene(world, centredScene({ motion: 'right', background: 'gray' }), { frames: FRAMES });

  it('is the standard deviation of noise that is new in each frame', () => {
    const random = randomStream(1);
    // A uniform step of ± 6 has a standard deviation of 6 / √3 = 3.46, rounding adds 1 / √12.
    const noisy = real.map((value) => Math.max(0, Math.min(255, Math.round(value + random.between(-6, 6)))));
    expect(flickerOf(noisy).background).toBeCloseTo(Math.sqrt(36 / 3 + 1 / 12), 1);
  });

  it('is nothing in the background of a real clip, nor for a slow change of light', () => {
    expect(flickerOf(real).background).toBe(0);
    const darker = real.map((value, i) => Math.max(0, value - Math.floor(i / (128 * 128 * 3))));
    expect(flickerOf(darker).background).toBe(0);
  });

  it('rises in the subject alone where the subject alone blinks', () => {
    const still = renderScene(world, centredScene({ background: 'gray' }), { frames: FRAMES });
    const blinking = still.map((value, i) => {
      const t = Math.floor(i / (128 * 128 * 3));
      const x = Math.floor(i / 3) % 128;
      const y = Math.floor(i / (128 * 3)) % 128;
      const isInside = Math.abs(x - 64) < 24 && Math.abs(y - 64) < 16;
      return isInside && t % 2 === 1 ? Math.min(255, value + 20) : value;
    });
    const { all, background, subject } = flickerOf(blinking);
    expect(background).toBe(0);
    expect(subject).toBeGreaterThan(5);
    expect(all).toBeGreaterThan(0);
    expect(all).toBeLessThan(subject);
    expect(flickerOf(still)).toEqual({ all: 0, background: 0, subject: 0 });
  });
});
