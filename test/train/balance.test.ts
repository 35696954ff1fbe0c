import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BalanceOptions, balancedSteps, coarseBatch } from '../../src/train/balance.ts';

const options: BalanceOptions = {
  clips: [
    { flops: 100, samples: 8, weight: 3 },
    { flops: 90, samples: 4, weight: 2 },
    { flops: 60, samples: 1, weight: 1 },
  ],
  still: { flops: 5, samples: 2 },
  ratio: 1,
  window: 8,
  seed: 3,
};

const window = (given: BalanceOptions, index: number) =>
  Array.from({ length: given.window }, (_, i) => balancedSteps(given)(index * given.window + i));

describe('balanced steps', () => {
  it('add the asked share of stills, and leave no step that one more still would not make the dearest', () => {
    fc.assert(
      fc.property(fc.nat({ max: 1000 }), fc.double({ min: 0, max: 4, noNaN: true }), (index, ratio) => {
        const given = { ...options, ratio };
        const steps = window(given, index);
        const clips = steps.reduce((sum, { clip }) => sum + given.clips[clip]!.samples, 0);
        const stills = steps.reduce((sum, step) => sum + step.stills, 0);
        expect(stills).toBe(Math.round((clips * ratio) / given.still.samples));
        const costs = steps.map(({ clip, stills: n }) => given.clips[clip]!.flops + n * given.still.flops);
        const filled = costs.filter((_, i) => steps[i]!.stills > 0);
        // Greedy: whoever got a still was cheapest then, so no other can end more than that still below it.
        if (filled.length > 0) expect(Math.max(...filled) - Math.min(...costs)).toBeLessThanOrEqual(given.still.flops);
      }),
      { numRuns: 200 },
    );
  });

  it('are the same whatever was asked before', () => {
    const forwards = balancedSteps(options);
    const inOrder = Array.from({ length: 40 }, (_, step) => forwards(step));
    const backwards = balancedSteps(options);
    for (let step = 39; step >= 0; step--) expect(backwards(step)).toEqual(inOrder[step]);
  });

  it('draw shapes by weight', () => {
    const counts = [0, 0, 0];
    const steps = balancedSteps(options);
    for (let step = 0; step < 6000; step++) counts[steps(step).clip]! += 1;
    expect(counts.map((n) => Math.round(n / 1000))).toEqual([3, 2, 1]);
  });

  it('coarse batches cost at most the aim, unless one clip alone is dearer', () => {
    expect(coarseBatch(100, 30)).toBe(3);
    expect(coarseBatch(100, 300)).toBe(1);
  });
});
