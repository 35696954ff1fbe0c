import { describe, expect, it } from 'vitest';
import type { Comparison } from '../../src/parity/compare.ts';
import { compareDitForward, compareFlowGradients } from '../../src/parity/dit.ts';
import { openRecordedSet } from '../../src/parity/vectors.ts';

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

it('the flow-matching loss has the recorded gradient for every weight', async () => {
  const comparisons = await compareFlowGradients(recorded, 'training_dit');
  const set = await openRecordedSet(recorded, 'training_dit');
  const flow = [...set.names].filter((name) => name.startsWith('flow.'));
  await set.close();
  expect(comparisons.map(({ name }) => name).sort()).toEqual(flow.sort());
  expectEqual(comparisons);
});
