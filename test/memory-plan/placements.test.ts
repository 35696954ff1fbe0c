/** The choice of a placement, over made-up networks: it fits where any does, and more memory never makes it worse. */
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { formatMemory, parseMemory, roundedUp } from '../../src/memory-plan/memory-size.ts';
import type { NetworkCost } from '../../src/memory-plan/network-cost.ts';
import { BASE_BYTES, choosePlacement, peakBytes, stagesKeep } from '../../src/memory-plan/placements.ts';
import { FREEING_ENVIRONMENT } from '../../src/runtime/freed-memory.ts';

afterEach(() => vi.unstubAllEnvs());

describe('amounts of memory', () => {
  it.each([
    ['8GB', 8e9],
    ['24GiB', 24 * 2 ** 30],
    ['500m', 5e8],
    ['1.5 GB', 1.5e9],
    ['1e9', 1e9],
    ['2048', 2048],
  ])('%s', (text, bytes) => expect(parseMemory(text)).toBe(bytes));
  it.each(['', 'GB', '-1GB', '0', '8 gigs', '1e400', '8GBs', '0x10', 'NaN'])('%j is none', (text) =>
    expect(parseMemory(text)).toBeUndefined(),
  );
  it('an amount that is suggested is enough', () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e13 }), (bytes) => {
        expect(parseMemory(roundedUp(bytes))).toBeGreaterThanOrEqual(bytes);
        expect(formatMemory(bytes)).toMatch(/^[\d.e+]+ (MB|GB|TB)$/);
      }),
    ));
});

const stage = fc.record({ open: fc.integer({ min: 0, max: 1e9 }), work: fc.integer({ min: 0, max: 5e9 }) });
const network = fc
  .record({ stages: fc.array(stage, { minLength: 1, maxLength: 12 }), runs: fc.constantFrom(1, 50) })
  .map(
    ({ stages, runs }): NetworkCost => ({
      component: 'transformer',
      stages: stages.map((s, i) => ({ name: `${i}`, flops: 1, weights: s.open, decoded: 0, ...s })),
      weights: stages.reduce((sum, { open }) => sum + open, 0),
      runs,
    }),
  );
/** A tile takes its share of the work. */
const costOf = (cost: NetworkCost) => (tile: number | undefined) => ({
  ...cost,
  stages: cost.stages.map((s) => ({ ...s, work: tile === undefined ? s.work : Math.ceil((s.work * tile) / 16384) })),
});
const tiles = [8192, 1024, 128];

describe('a placement', () => {
  it('fits wherever the least one does, and is the least one elsewhere', () =>
    fc.assert(
      fc.property(network, fc.integer({ min: 1e8, max: 12e9 }), (cost, memory) => {
        const choice = choosePlacement(costOf(cost), memory, tiles);
        expect(choice.peak).toBe(peakBytes(choice.cost, choice.placement));
        const least = choosePlacement(costOf(cost), 0, tiles);
        if (least.peak <= memory) expect(choice.peak).toBeLessThanOrEqual(memory);
        else expect(choice).toEqual(least);
      }),
    ));

  it('holds no fewer stages and cuts no smaller tiles in more memory', () =>
    fc.assert(
      fc.property(
        network,
        fc.integer({ min: 1e8, max: 12e9 }),
        fc.integer({ min: 0, max: 5e9 }),
        (cost, memory, more) => {
          const [a, b] = [memory, memory + more].map((m) => choosePlacement(costOf(cost), m, tiles).placement);
          if (a!.weights === 'whole') expect(b).toEqual(a);
          if (a!.weights === 'whole' || b!.weights === 'whole') return;
          expect(b!.tile ?? 1e9).toBeGreaterThanOrEqual(a!.tile ?? 1e9);
          if (a!.tile === b!.tile) expect(b!.held).toBeGreaterThanOrEqual(a!.held);
          expect(a!.held === 0 || cost.runs > 1).toBe(true);
        },
      ),
    ));

  it('counts an open session and the worst moment', () => {
    const stages = [3, 2].map((gb) => ({ name: '', flops: 0, weights: 0, decoded: 0, open: gb * 1e9, work: 1e9 }));
    const cost: NetworkCost = { component: 'transformer', stages, weights: 5e9, runs: 2 };
    expect(peakBytes(cost, { weights: 'stages', held: 0 })).toBe(BASE_BYTES + stagesKeep() * 4e9);
    expect(peakBytes(cost, { weights: 'stages', held: 1 })).toBe(BASE_BYTES + stagesKeep() * 6e9);
    expect(peakBytes(cost, { weights: 'stages', held: 2 })).toBe(BASE_BYTES + stagesKeep() * 6e9);
  });

  it('holds no stage too many: 48 of the 30B in int4 were measured at 18.19 GB', () => {
    for (const [name, value] of Object.entries(FREEING_ENVIRONMENT)) vi.stubEnv(name, value);
    const stage = (open: number, work: number) => ({
      name: '',
      flops: 0,
      weights: open * 2 ** 20,
      decoded: 0,
      open: open * 2 ** 20,
      work: work * 2 ** 20,
    });
    const stages = [stage(664, 877), ...Array.from({ length: 48 }, () => stage(324, 68)), stage(1, 19)];
    const cost: NetworkCost = { component: 'transformer', stages, weights: 17e9, runs: 2 };
    expect(Math.abs(peakBytes(cost, { weights: 'stages', held: 48 }) / 18.19e9 - 1)).toBeLessThan(0.01);
    expect(choosePlacement(() => cost, 18e9).placement).toEqual({ weights: 'stages', held: 47 });
  });
});
