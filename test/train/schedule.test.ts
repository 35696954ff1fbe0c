/** The learning rate's factor: its ends, its shape, its range. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { learningRateFactor } from '../../src/train/schedule.ts';

const config = fc.record({
  warmup: fc.nat({ max: 20 }),
  flat: fc.double({ min: 0, max: 1, noNaN: true }),
  decay: fc.constantFrom('cosine' as const, 'linear' as const),
  final: fc.double({ min: 0, max: 1, noNaN: true }),
});
const steps = fc.integer({ min: 30, max: 200 });

it('rises, stays, falls and never leaves (0, 1]', () => {
  fc.assert(
    fc.property(config, steps, (c, n) => {
      const factors = Array.from({ length: n }, (_, i) => learningRateFactor(i, n, c));
      const top = factors.indexOf(Math.max(...factors));
      factors.forEach((factor, i) => {
        expect(factor).toBeGreaterThanOrEqual(i < c.warmup ? 0 : c.final - 1e-12);
        expect(factor).toBeLessThanOrEqual(1);
        if (i > 0 && i <= top) expect(factor).toBeGreaterThanOrEqual(factors[i - 1]!);
        if (i > top) expect(factor).toBeLessThanOrEqual(factors[i - 1]! + 1e-12);
      });
    }),
  );
});

it('warms up in equal steps to 1 and ends at the final factor', () => {
  const c = { warmup: 4, flat: 0.5, decay: 'cosine' as const, final: 0.1 };
  expect([0, 1, 2, 3, 4].map((i) => learningRateFactor(i, 100, c))).toEqual([0.25, 0.5, 0.75, 1, 1]);
  expect(learningRateFactor(50, 100, c)).toBe(1);
  expect(learningRateFactor(99, 100, c)).toBeCloseTo(0.1, 12);
});

it('falls along a line or half a cosine', () => {
  const at = (decay: 'cosine' | 'linear', i: number): number =>
    learningRateFactor(i, 101, { warmup: 0, flat: 0, decay, final: 0 });
  expect(at('linear', 25)).toBeCloseTo(0.75, 12);
  expect(at('cosine', 25)).toBeCloseTo((1 + Math.SQRT1_2) / 2, 12);
  expect(at('cosine', 50)).toBeCloseTo(0.5, 12);
});
