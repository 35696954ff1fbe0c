/**
 * The bars that a model of emoji world is held to, and how each is read off a report. Measures nothing.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { inputError } from '../errors.ts';
import { nearestName } from '../nearest.ts';
import { type EvaluationReport, setOf } from './report.ts';
import type { ScoreSummary } from './scores.ts';

/** A bar as data: `least` or `most` is what must be reached. */
type Bar = {
  readonly about: string;
  readonly bound: 'least' | 'most';
  readonly bar: number;
  value(report: ReportWithoutBars): number | undefined;
};

type ReportWithoutBars = Omit<EvaluationReport, 'bars'>;

/** `value` is absent where the report did not measure it, and so is `met`. */
export type BarResult = {
  readonly id: string;
  readonly about: string;
  readonly bound: 'least' | 'most';
  readonly bar: number;
  readonly value?: number | undefined;
  readonly met?: boolean | undefined;
};

const PARTS = ['subject', 'background', 'motion', 'all'] as const satisfies (keyof ScoreSummary)[];

const main = (report: ReportWithoutBars): ScoreSummary | undefined => setOf(report, 'main', 'en')?.scores;

/** How much worse `other` is than `than` in its worst part. */
function gap(than: ScoreSummary | undefined, other: ScoreSummary | undefined): number | undefined {
  return than && other && Math.max(...PARTS.map((part) => than[part] - other[part]));
}

const ratio = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined || b === 0 ? undefined : a / b;

const BARS: Readonly<Record<string, Bar>> = {
  subject: { about: 'subject right, English', bound: 'least', bar: 0.9, value: (r) => main(r)?.subject },
  background: { about: 'background right, English', bound: 'least', bar: 0.98, value: (r) => main(r)?.background },
  motion: { about: 'motion right, English', bound: 'least', bar: 0.85, value: (r) => main(r)?.motion },
  all: { about: 'all three right, English', bound: 'least', bar: 0.75, value: (r) => main(r)?.all },
  chinese: {
    about: 'Chinese below English, in the worst of the four',
    ...{ bound: 'most', bar: 0.05 },
    value: (r) => gap(main(r), setOf(r, 'main', 'zh')?.scores),
  },
  paraphrased: {
    about: 'paraphrased below plain English, in the worst of the four',
    ...{ bound: 'most', bar: 0.1 },
    value: (r) => gap(main(r), setOf(r, 'paraphrased', 'en')?.scores),
  },
  identity: {
    about: 'first-to-last identity over that of VAE reconstructions',
    ...{ bound: 'least', bar: 0.95 },
    value: (r) => ratio(setOf(r, 'main', 'en')?.scores.measures.identity, r.vaeCeiling?.measures.identity),
  },
  flicker: {
    about: 'flicker over that of VAE reconstructions',
    ...{ bound: 'most', bar: 1.2 },
    value: (r) => ratio(setOf(r, 'main', 'en')?.scores.measures.flicker?.all, r.vaeCeiling?.measures.flicker?.all),
  },
  psnr: {
    about: 'VAE, trained subjects in held-out combinations, PSNR in dB',
    ...{ bound: 'least', bar: 29 },
    value: (r) => r.reconstruction?.trained.psnr,
  },
  ssim: {
    about: 'VAE, trained subjects in held-out combinations, SSIM',
    ...{ bound: 'least', bar: 0.93 },
    value: (r) => r.reconstruction?.trained.ssim,
  },
  'unseen-psnr': {
    about: 'VAE, subjects never trained on, PSNR in dB',
    ...{ bound: 'least', bar: 26 },
    value: (r) => r.reconstruction?.unseen?.psnr,
  },
  seam: {
    about: 'VAE, step at the seam of two chunks over a normal step',
    ...{ bound: 'most', bar: 1.1 },
    value: (r) => r.reconstruction?.seam.reconstructed.at,
  },
  seconds: { about: 'prompt to file, seconds', bound: 'most', bar: 30, value: (r) => r.speed.video?.seconds },
  preview: { about: 'first preview, seconds', bound: 'most', bar: 5, value: (r) => r.speed.video?.firstPreview },
  size: { about: 'model on disk, MB', bound: 'most', bar: 32, value: (r) => r.model.bytes / 1e6 },
};

/** Bars by name, in place of the usual ones. */
export type OwnBars = Readonly<Record<string, number>>;

/**
 * Own bars from a JSON file of numbers by name.
 * @throws input error when the file cannot be read, or names a bar that is not there.
 */
export function readBars(file: string): OwnBars {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw inputError('eval', 'bars must be a readable JSON file', `${file}: ${(cause as Error).message}`);
  }
  const parsed = z.record(z.string(), z.number()).safeParse(content);
  if (!parsed.success) throw inputError('eval', `${file} must hold numbers by the names of bars`, content);
  const names = Object.keys(BARS);
  for (const name of Object.keys(parsed.data))
    if (!names.includes(name))
      throw inputError('eval', `bars must be some of ${names.join(', ')}`, name, nearestName(name, names));
  return parsed.data;
}

/** Holds a report against the bars. */
export function judgeBars(report: ReportWithoutBars, own: OwnBars = {}): BarResult[] {
  return Object.entries(BARS).map(([id, { about, bound, bar: usual, value: read }]) => {
    const bar = own[id] ?? usual;
    const value = read(report);
    // Shares are counts of clips: one that is equal but for rounding is met.
    const slack = 1e-9;
    const met = value === undefined ? undefined : bound === 'least' ? value >= bar - slack : value <= bar + slack;
    return { id, about, bound, bar, value, met };
  });
}
