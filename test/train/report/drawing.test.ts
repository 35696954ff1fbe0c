/** The parts of a chart that are arithmetic: ticks, places, fewer points, smoothing, text. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { axis, figure, linearTicks } from '../../../src/train/report/axis.ts';
import { configText } from '../../../src/train/report/config-text.ts';
import { type Point, smoothed, thinned } from '../../../src/train/report/curves.ts';

const range = fc
  .tuple(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.double({ min: 1e-4, max: 1e6, noNaN: true }))
  .map(([low, length]) => [low, low + length] as const);
const curve = fc
  .array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 1, maxLength: 300 })
  .map((values) => values.map((value, i): Point => [i + 1, value]));

describe('ticks', () => {
  it('are few, evenly apart, within their range and say different things', () => {
    fc.assert(
      fc.property(range, fc.integer({ min: 3, max: 8 }), ([low, high], count) => {
        const ticks = linearTicks([low, high], count);
        expect(ticks.length).toBeGreaterThanOrEqual(1);
        expect(ticks.length).toBeLessThanOrEqual(2 * count);
        const slack = (high - low) * 1e-6;
        for (const { value } of ticks) {
          expect(value).toBeGreaterThanOrEqual(low - slack);
          expect(value).toBeLessThanOrEqual(high + slack);
        }
        if (Math.abs(low) < 1e3 * (high - low)) expect(new Set(ticks.map((t) => t.label)).size).toBe(ticks.length);
      }),
    );
  });

  it('tell neighbours across a power of ten apart', () => {
    const labels = linearTicks([0.00991999999998, 0.01001999999998], 4).map((t) => t.label);
    expect(new Set(labels).size).toBe(labels.length);
  });

  it('lie at round numbers', () => {
    expect(axis([0, 6000], { count: 4 }).ticks.map((t) => t.label)).toEqual(['0', '2,000', '4,000', '6,000']);
    expect(axis([-0.3, 0.1]).ticks.map((t) => t.label)).toEqual(['−0.3', '−0.2', '−0.1', '0', '0.1']);
    expect(axis([0.03, 40], { kind: 'log' }).ticks.map((t) => t.label)).toEqual(['0.1', '1', '10']);
    expect(axis([2e-7, 9e-7]).ticks.map((t) => t.label)).toContain('4e-7');
  });
});

it('places keep the order of values, from end to end, in either scale', () => {
  fc.assert(
    fc.property(range, fc.constantFrom('linear' as const, 'log' as const), ([low, high], kind) => {
      const [from, to] = kind === 'log' ? [Math.abs(low) + 1e-3, Math.abs(low) + 1e-3 + high - low] : [low, high];
      const { place } = axis([from, to], { kind });
      expect(place(from)).toBeCloseTo(0, 6);
      expect(place(to)).toBeCloseTo(1, 6);
      expect(place((from + to) / 2)).toBeGreaterThan(place(from));
      expect([place(from - 1e9), place(to + 1e9)]).toEqual([0, 1]);
    }),
  );
  expect(axis([3, 3]).place(3)).toBe(0.5);
});

it('thinning keeps the highest and the lowest point, and the order', () => {
  fc.assert(
    fc.property(curve, fc.integer({ min: 4, max: 50 }), (points, most) => {
      const kept = thinned(points, most);
      const values = (of: readonly Point[]): number[] => of.map(([, value]) => value);
      expect(Math.max(...values(kept))).toBe(Math.max(...values(points)));
      expect(Math.min(...values(kept))).toBe(Math.min(...values(points)));
      expect(kept.map(([step]) => step)).toEqual(kept.map(([step]) => step).sort((a, b) => a - b));
      expect(kept.length).toBeLessThanOrEqual(most + 3);
    }),
  );
});

it('smoothing stays between the extremes, keeps the ends of the run and calms noise', () => {
  fc.assert(
    fc.property(curve, (points) => {
      const values = points.map(([, value]) => value);
      const smooth = smoothed(points, { most: 40 });
      expect([smooth[0]![0], smooth.at(-1)![0]]).toEqual([1, points.length]);
      for (const [, value] of smooth) {
        expect(value).toBeGreaterThanOrEqual(Math.min(...values) - 1e-9);
        expect(value).toBeLessThanOrEqual(Math.max(...values) + 1e-9);
      }
    }),
  );
  const noisy = Array.from({ length: 700 }, (_, i): Point => [i, 5 + (i % 2 === 0 ? 1 : -1)]);
  for (const [, value] of smoothed(noisy).slice(10, -10)) expect(value).toBeCloseTo(5, 2);
  const ratios = noisy.map(([step], i): Point => [step, i % 2 === 0 ? 0.1 : 10]);
  expect(smoothed(ratios, { log: true })[150]![1]).toBeCloseTo(1, 1);
});

it('figures have four digits, thousands apart and a real minus', () => {
  expect([2400, -0.22004801, 0.17, 1e-5, 12345.67, 0, Number.NaN].map(figure)).toEqual([
    '2,400',
    '−0.2200',
    '0.1700',
    '1.00e-5',
    '12,350',
    '0',
    '–',
  ]);
});

it('a config as text is the same JSON, its short parts on one line', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      expect(JSON.parse(configText(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
  const long = 'x'.repeat(80);
  expect(configText({ betas: [0.9, 0.95], buckets: [{ frames: 1 }], long })).toBe(
    `{\n  "betas": [0.9, 0.95],\n  "buckets": [{ "frames": 1 }],\n  "long": "${long}"\n}`,
  );
});
