import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compare,
  compareRelative,
  compareSampled,
  compareUpdated,
  sample,
  statsOf,
  toleranceOf,
} from '../../src/parity/compare.ts';

const values = Float32Array.from({ length: 2000 }, (_, i) => Math.sin(i));
const record = (stored: Float32Array) => ({ samples: sample(stored), stats: statsOf(stored), deviation: undefined });

describe('comparison with recorded numbers', () => {
  it('allows ten recorded deviations or 2e-5 of the largest magnitude, whichever is larger', () => {
    expect(toleranceOf(4, { float64: 1e-6 })).toBeCloseTo(8e-5, 12);
    expect(toleranceOf(4, { float64: 1e-5 })).toBeCloseTo(1e-4, 12);
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1, noNaN: true }), (error) => {
        expect(compare('x', [1, 2, -4 + error], [1, 2, -4]).ok).toBe(error <= 8e-5);
      }),
    );
  });

  it('fails on other sizes and on values that are no numbers', () => {
    expect(compare('x', [1, 2], [1]).ok).toBe(false);
    expect(compare('x', [1], [1, 2]).ok).toBe(false);
    expect(compare('x', [Number.NaN, 2], [1, 2])).toMatchObject({ ok: false, absolute: Number.POSITIVE_INFINITY });
    expect(compare('x', [1, Number.NaN], [1, 2]).ok).toBe(false);
  });

  it('sees an error that the samples of a large tensor miss', () => {
    expect(compareSampled('x', values, record(values)).ok).toBe(true);
    const wrong = values.slice();
    // Samples are every third element.
    wrong[1000 - (1000 % 3) + 1] = 5;
    expect(sample(wrong)).toEqual(sample(values));
    expect(compareSampled('x', wrong, record(values)).ok).toBe(false);
    const swapped = values.slice();
    [swapped[1], swapped[2]] = [values[2]!, values[1]!];
    expect(compareSampled('x', swapped, record(values)).ok).toBe(false);
  });

  it('lets one weight in a thousand end 1e-3 off after AdamW, and no more of them or further', () => {
    const moved = (changes: Record<number, number>) => values.map((v, i) => v + (changes[i] ?? 0));
    const ok = (changes: Record<number, number>) => compareUpdated('x', moved(changes), record(values)).ok;
    // Samples are every third element.
    expect(ok({})).toBe(true);
    expect(ok({ 3: 9e-4 })).toBe(true);
    expect(ok({ 3: 1.1e-3 })).toBe(false);
    expect(ok({ 3: 9e-4, 6: 9e-4 })).toBe(false);
    expect(
      compareUpdated(
        'x',
        values.map((v) => v + 5e-4),
        record(values),
      ).ok,
    ).toBe(false);
  });

  it('holds gradients of the preference loss to a hundredth of their size', () => {
    expect(
      compareRelative(
        'x',
        values.map((v) => 1.009 * v),
        record(values),
      ).ok,
    ).toBe(true);
    expect(
      compareRelative(
        'x',
        values.map((v) => 1.011 * v),
        record(values),
      ).ok,
    ).toBe(false);
  });

  it('weighs elements as the record says', () => {
    expect(statsOf([3, 4])).toEqual({ l2: 5, sum: 7, dot: -1.5 + 4 * (2654435761 / 2 ** 32 - 0.5) });
  });
});
