/** What recomputation is for: a deep chain's step in a process of its own, with and without. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const program = fileURLToPath(new URL('deep-chain.ts', import.meta.url));

const measured = (how: 'kept' | 'recomputed'): { mebibytes: number; first: number[] } =>
  JSON.parse(execFileSync(process.execPath, ['--import', 'tsx', program, how], { encoding: 'utf8' }));

it('takes well under two thirds of the memory, for the same gradients', () => {
  const [kept, again] = [measured('kept'), measured('recomputed')];
  expect(kept.mebibytes).toBeGreaterThan(60);
  expect(again.mebibytes).toBeLessThan((kept.mebibytes * 2) / 3);
  kept.first.forEach((value, i) => {
    expect(again.first[i]! / value).toBeCloseTo(1, 5);
  });
});
