import { describe, expect, it } from 'vitest';
import type { Comparison } from '../../src/parity/compare.ts';
import { compareDitForward } from '../../src/parity/dit.ts';

const recorded = new URL('../golden/parity', import.meta.url).pathname;

function expectEqual(comparisons: readonly Comparison[]): void {
  expect(comparisons.filter(({ ok }) => !ok)).toEqual([]);
}

describe('denoiser against the recorded stages', () => {
  for (const form of ['fused', 'primitive'] as const) {
    it(`head dim 128, sharded bf16 weights, ${form} attention`, async () => {
      const comparisons = await compareDitForward(recorded, 'dit_a', form);
      expect(comparisons).toHaveLength(11);
      expectEqual(comparisons);
    });

    it(`head dim 64 with its own rotary split, ${form} attention`, async () => {
      const comparisons = await compareDitForward(recorded, 'dit_b', form);
      expect(comparisons).toHaveLength(18);
      expectEqual(comparisons);
    });
  }
});
