import { expect, it } from 'vitest';
import { randomStream } from '../../src/data/random.ts';
import { renderScene } from '../../src/data/scene.ts';
import { readClip } from '../../src/eval/scorer.ts';
import { centredScene, drawnWorld } from '../data/drawn-world.ts';

const world = drawnWorld();
const SIZE = { width: 128, height: 128 };
const FRAMES = 17;
const flickerOf = (pixels: Uint8Array) => readClip(world, pixels, SIZE).flicker!;
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
