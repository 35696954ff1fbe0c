import { describe, expect, it } from 'vitest';
import { randomStream } from '../../src/data/random.ts';
import { psnr, ssim } from '../../src/eval/quality.ts';

const size = { width: 32, height: 24 };
const random = randomStream(1);
const picture = Uint8Array.from(
  { length: 32 * 24 * 3 * 2 },
  (_, i) => 128 + 90 * Math.sin(i / 40) + random.integer(20),
);

describe('psnr', () => {
  it('is infinite for equal pictures, and 20 log10(255 / d) for a constant difference d', () => {
    expect(psnr(picture, picture)).toBe(Number.POSITIVE_INFINITY);
    expect(psnr(new Uint8Array(300).fill(100), new Uint8Array(300).fill(105))).toBeCloseTo(
      20 * Math.log10(255 / 5),
      10,
    );
  });

  it('refuses pictures of different sizes', () => {
    expect(() => psnr(new Uint8Array(3), new Uint8Array(6))).toThrow(/same length, got \[3, 6\]/);
  });
});

describe('ssim', () => {
  it('is 1 for equal pictures', () => {
    expect(ssim(picture, picture, size)).toBeCloseTo(1, 12);
  });

  it('is the luminance term alone for two flat pictures', () => {
    const [a, b] = [60, 90];
    const c1 = (0.01 * 255) ** 2;
    const expected = (2 * a * b + c1) / (a * a + b * b + c1);
    const flat = (value: number) => new Uint8Array(32 * 24 * 3).fill(value);
    expect(ssim(flat(a), flat(b), size)).toBeCloseTo(expected, 9);
  });

  it('falls as noise grows, and goes below zero for an inverted picture', () => {
    const noise = (amount: number) => picture.map((value) => value + amount * (random.uniform() - 0.5));
    const [little, much] = [ssim(picture, noise(10), size), ssim(picture, noise(80), size)];
    expect(little).toBeGreaterThan(much);
    expect(much).toBeGreaterThan(0);
    expect(
      ssim(
        picture,
        picture.map((value) => 255 - value),
        size,
      ),
    ).toBeLessThan(0);
  });

  it('refuses pictures smaller than its window, and lengths that are no whole frames', () => {
    expect(() => ssim(picture, picture, { width: 10, height: 24 })).toThrow(/sides must be at least 11/);
    expect(() => ssim(picture.subarray(0, 9), picture.subarray(0, 9), size)).toThrow(/multiple of 2304, got 9/);
  });
});
