import fc from 'fast-check';
import { expect, it } from 'vitest';
import { explosionWatch, PATIENCE } from '../../src/train/explosion.ts';

/** The first loss at which the watch speaks, counted from 0. */
function explodesAt(losses: readonly number[], factor = 10): number | undefined {
  const watch = explosionWatch(factor);
  const at = losses.findIndex((loss) => watch.see(loss) !== undefined);
  return at < 0 ? undefined : at;
}

const steady = (n: number, level = 0.2): number[] =>
  Array.from({ length: n }, (_, i) => level * (1 + 0.3 * Math.sin(i)));

it('speaks at the last of so many steps in a row above the limit, and names median and limit', () => {
  const losses = [...steady(60), ...Array<number>(PATIENCE).fill(3)];
  expect(explodesAt(losses)).toBe(60 + PATIENCE - 1);
  const watch = explosionWatch(10);
  const { median, limit } = losses.map((loss) => watch.see(loss)).at(-1)!;
  expect(median).toBeCloseTo(0.2, 1);
  expect(limit).toBeCloseTo(10 * median, 10);
});

it('is silent about spikes that fall back, however many and high', () => {
  const spike = [...Array<number>(PATIENCE - 1).fill(1e6), 0.2];
  expect(explodesAt([...steady(60), ...spike, ...spike, ...spike])).toBeUndefined();
});

it('is not fooled by an explosion that grows slowly', () => {
  expect(explodesAt([...steady(60), ...Array.from({ length: 400 }, (_, i) => 0.2 * 1.05 ** i)])).toBeDefined();
});

it('says nothing of the first steps, when a loss falls from far above, and of losses around zero', () => {
  expect(explodesAt([...Array.from({ length: 40 }, (_, i) => 1000 * 0.7 ** i), ...steady(100, 1e-3)])).toBeUndefined();
  expect(explodesAt(Array.from({ length: 300 }, (_, i) => Math.sin(i) + 0.05 * Math.cos(7 * i)))).toBeUndefined();
});

it('asks the same of a loss in other units', () => {
  const loss = fc.double({ min: 1e-3, max: 1e3, noNaN: true });
  fc.assert(
    fc.property(fc.array(loss, { maxLength: 150 }), fc.integer({ min: -8, max: 8 }), (losses, power) => {
      expect(explodesAt(losses.map((x) => x * 2 ** power))).toBe(explodesAt(losses));
    }),
  );
});
