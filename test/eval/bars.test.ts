import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { judgeBars, readBars } from '../../src/eval/bars.ts';

const shares = (subject: number, motion: number) => ({
  subject,
  background: 1,
  motion,
  all: Math.min(subject, motion),
});
const measures = (identity: number, flicker: number) => ({ identity, flicker: { all: flicker } });
const set = (name: string, language: string, scores: object) => ({ set: name, language, scores });

/** As much of a report as bars are read off. */
const report = {
  generated: [
    set('main', 'en', { ...shares(0.92, 0.84), measures: measures(0.9, 1.1) }),
    set('main', 'zh', shares(0.86, 0.9)),
    set('paraphrased', 'en', shares(0.82, 0.84)),
  ],
  vaeCeiling: { measures: measures(0.96, 1) },
  reconstruction: { trained: { psnr: 29.5, ssim: 0.92 }, seam: { reconstructed: { at: 1.1 } } },
  speed: { video: { seconds: 31 } },
  model: { bytes: 32e6 },
} as unknown as Parameters<typeof judgeBars>[0];

const scratch = mkdtempSync(path.join(tmpdir(), 'bars-'));
afterAll(() => rmSync(scratch, { recursive: true }));

describe('bars', () => {
  it('are met, missed, or not measured', () => {
    const results = Object.fromEntries(judgeBars(report).map((bar) => [bar.id, bar]));
    const met = Object.fromEntries(Object.entries(results).map(([id, bar]) => [id, bar.met]));
    expect(met).toEqual({
      ...{ subject: true, background: true, motion: false, all: true, chinese: false, paraphrased: true },
      ...{ identity: false, flicker: true, psnr: true, ssim: false, 'unseen-psnr': undefined, seam: true },
      ...{ seconds: false, preview: undefined, size: true },
    });
    expect(results.chinese!.value).toBeCloseTo(0.06, 9);
    expect(results.identity!.value).toBeCloseTo(0.9 / 0.96, 9);
  });

  it('can be one’s own', () => {
    const file = path.join(scratch, 'bars.json');
    writeFileSync(file, '{ "motion": 0.8, "seconds": 40 }');
    const own = judgeBars(report, readBars(file)).filter(({ id }) => id === 'motion' || id === 'seconds');
    expect(own.map(({ bar, met }) => [bar, met])).toEqual([
      [0.8, true],
      [40, true],
    ]);
  });

  it.each([
    ['{ "motoin": 1 }', /bars must be some of subject, .* got motoin \(try motion\)/],
    ['{ "motion": "high" }', /must hold numbers by the names of bars/],
    ['{', /bars must be a readable JSON file/],
  ])('refuses %s', (text, message) => {
    const file = path.join(scratch, 'bad.json');
    writeFileSync(file, text);
    expect(() => readBars(file)).toThrow(message);
  });
});
