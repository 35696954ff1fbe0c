/** The Video-VAE against its recording: every stage, clips of 1, 17, 34 and 51 frames, seams; in the form that training uses too. */
import { expect, it } from 'vitest';
import { compareVae } from '../../src/parity/vae.ts';

const recorded = new URL('../golden/parity', import.meta.url).pathname;

it('stages, moments, samples and frames, primitive attention', { timeout: 120_000 }, async () => {
  const comparisons = await compareVae(recorded, 'vae', 'primitive');
  expect(comparisons.filter(({ ok }) => !ok)).toEqual([]);
  const names = comparisons.map(({ name }) => name);
  expect(names.filter((name) => name.startsWith('stage.'))).toHaveLength(30);
  expect(names).toEqual(
    expect.arrayContaining([
      'moments1',
      'moments17',
      'moments34',
      'sample34',
      'decoded1',
      'decoded34',
      'unmixed34_frames15to18',
    ]),
  );
  expect(names.filter((name) => /^decoded(17|51)/.test(name))).toHaveLength(2);
});
