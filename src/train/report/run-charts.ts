/**
 * Which charts a run has, or two runs over one another: the records' figures sorted into charts, sections and colours.
 * Knows names of figures; draws nothing.
 */
import type { ScaleKind } from './axis.ts';
import type { Chart, Line, Mark } from './chart.ts';
import { type Point, smoothed } from './curves.ts';
import type { Numbers, RunRecords } from './run-folder.ts';

export const SECTIONS = ['loss', 'validation', 'parts of the loss', 'steps'] as const;
export type Section = (typeof SECTIONS)[number];

/** One curve of one run, and the chart that it belongs to. */
type Series = {
  readonly section: Section;
  readonly chart: string;
  readonly label: string;
  readonly points: readonly Point[];
  /** How it is drawn: smooth over raw, smooth alone, a dot a measurement, or as it is. */
  readonly look: 'over raw' | 'smooth' | 'dots' | 'plain';
  readonly scale?: ScaleKind;
  readonly unit?: string;
  readonly best?: Point | undefined;
};

/** Colours of the style sheet by number: those of runs, and of names in turn. */
export const colourAt = (index: number): string => `var(--c${index % 8})`;

/** Charts of one run or of two, section by section. */
export function runCharts(runs: readonly RunRecords[]): Map<Section, Chart[]> {
  const series = runs.map((run) => [...stepSeries(run), ...validationSeries(run)]);
  const all = series.flat();
  const steps = Math.max(...runs.map(lastStep), 1);
  const marks = changeMarks(runs);
  const sections = SECTIONS.map((section): [Section, Chart[]] => {
    const titles = [...new Set(all.flatMap((s) => (s.section === section ? [s.chart] : [])))];
    const charts = titles.map((title): Chart => {
      const mine = series.map((own) => own.filter((s) => s.section === section && s.chart === title));
      const labels = [...new Set(mine.flat().map(({ label }) => label))];
      const lines = mine.flatMap((own, run) => own.map((s) => lineOf(s, { run, runs, labels })));
      const { scale, unit } = mine.flat()[0]!;
      return { title, unit, scale: scaleOf(scale, lines), lines, marks, steps, isWide: section === 'loss' };
    });
    return [section, charts];
  });
  return new Map(sections.filter(([, charts]) => charts.length > 0));
}

/** The step that a chart of the run goes to. */
const lastStep = ({ steps, validations }: RunRecords): number =>
  Math.max(0, steps.at(-1)?.step ?? 0, validations.at(-1)?.step ?? 0);

/** Changes of config in the order of the run's list of them; of two runs, each in its run's colour. */
function changeMarks(runs: readonly RunRecords[]): Mark[] {
  return runs.flatMap(({ changes }, run) =>
    changes.map(({ step }, i) => ({
      step,
      label: String(i + 1),
      colour: runs.length > 1 ? colourAt(run) : 'var(--quiet)',
    })),
  );
}

/** A curve alone in its chart takes its run's colour; where a chart has several, runs differ by their strokes. */
function lineOf(
  { label, points, look, scale, best }: Series,
  { run, runs, labels }: { run: number; runs: readonly RunRecords[]; labels: readonly string[] },
): Line {
  const isAlone = labels.length === 1;
  const { name } = runs[run]!;
  return {
    label: isAlone && runs.length > 1 ? name : label,
    ...(!isAlone && runs.length > 1 && { run: name }),
    colour: isAlone ? colourAt(run) : colourOf(label, labels),
    points: look === 'over raw' || look === 'smooth' ? smoothed(points, { log: scale === 'log' }) : points,
    ...(look === 'over raw' && { raw: points }),
    isDashed: run > 0 && !isAlone,
    hasDots: look === 'dots',
    best,
  };
}

/** Ranges of numbers, as timestep bins, go through a ramp of colours; other names take the colours in turn. */
function colourOf(label: string, labels: readonly string[]): string {
  const ranges = labels.filter((name) => /^[\d.]+\s*[-–]\s*[\d.]+$/.test(name));
  const at = ranges.indexOf(label);
  if (at < 0) return colourAt(labels.indexOf(label));
  return `oklch(62% .15 ${Math.round(265 + (140 * at) / Math.max(1, ranges.length - 1))})`;
}

/** What falls through orders of magnitude is drawn so. */
function scaleOf(asked: ScaleKind | undefined, lines: readonly Line[]): ScaleKind {
  const values = lines.flatMap(({ points }) => points.map(([, value]) => value));
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low > 0 && (asked === 'log' || high > 12 * low) ? 'log' : 'linear';
}

/** Fields of a step's line that are about the step; all others are figures of the loss. */
const ABOUT = new Set([
  'step',
  'steps',
  'seconds',
  'samples',
  'rate',
  'gradientNorm',
  'samplesPerSecond',
  'gflops',
  'dataShare',
]);

function stepSeries({ steps }: RunRecords): Series[] {
  const of = (name: string, factor = 1): Point[] =>
    pointsOf(steps, name).map(([step, value]) => [step, value * factor]);
  const norms = of('gradientNorm').filter(([, value]) => value > 0);
  const about: Series[] = [
    { section: 'steps', chart: 'Gradient norm', label: 'gradient norm', points: norms, look: 'over raw', scale: 'log' },
    {
      section: 'steps',
      chart: 'Learning rate factor',
      label: 'factor',
      points: of('rate'),
      look: 'plain',
      scale: 'linear',
    },
    {
      section: 'steps',
      chart: 'Samples a second',
      label: 'samples/s',
      points: of('samplesPerSecond'),
      look: 'over raw',
    },
    { section: 'steps', chart: 'GFLOP/s reached', label: 'GFLOP/s', points: of('gflops'), look: 'over raw' },
    {
      section: 'steps',
      chart: 'Waiting for data, % of the time',
      label: 'share',
      points: of('dataShare', 100),
      look: 'over raw',
      unit: ' %',
      scale: 'linear',
    },
  ];
  const losses = namesOf(steps).flatMap((name): Series[] => {
    if (ABOUT.has(name)) return [];
    const points = of(name);
    if (name === 'loss') return [{ section: 'loss', chart: 'Loss', label: 'loss', points, look: 'over raw' }];
    // `bucket.figure`, or a figure over all buckets.
    const dot = name.lastIndexOf('.');
    const [bucket, figure] = dot < 0 ? ['all', name] : [name.slice(0, dot), name.slice(dot + 1)];
    const chart = figure === 'loss' ? 'Loss by bucket' : titleOf(figure);
    return [{ section: 'parts of the loss', chart, label: bucket, points, look: 'smooth' }];
  });
  return [...losses, ...about].filter(({ points }) => points.length > 0);
}

function validationSeries({ validations }: RunRecords): Series[] {
  const names = namesOf(validations).filter((name) => name !== 'step' && name !== 'seconds');
  const best = bestValidation(validations);
  const figures = names.filter((name) => name !== 'score');
  // A score that is a figure (or its negative, where less is better) under another name needs no chart of its own.
  const twin = figures.find((name) =>
    validations.every((v) => Math.abs(v[name] ?? Number.NaN) === Math.abs(v['score'] ?? 0)),
  );
  const prefixes = figures.map((name) => name.replace(/\s+\S+$/, ''));
  return [...(twin === undefined && names.includes('score') ? ['score'] : []), ...figures].map((name): Series => {
    const prefix = name.replace(/\s+\S+$/, '');
    const isGrouped = prefix !== name && prefixes.filter((other) => other === prefix).length > 1;
    const isScore = name === 'score' || name === twin;
    return {
      section: 'validation',
      chart: isGrouped ? groupTitle(prefix) : titleOf(name),
      label: isGrouped ? name.slice(prefix.length).trim() : name,
      points: pointsOf(validations, name),
      look: 'dots',
      best: isScore && best ? [best.step, best[name]!] : undefined,
    };
  });
}

/** `loss t`, before its ranges → Loss by t. */
const groupTitle = (prefix: string): string => titleOf(prefix.replace(/ (\S+)$/, ' by $1'));

/** The validation of the highest score. */
export function bestValidation(validations: readonly Numbers[]): Numbers | undefined {
  const score = (v: Numbers): number => v['score'] ?? Number.NEGATIVE_INFINITY;
  return validations.reduce<Numbers | undefined>((a, b) => (a === undefined || score(b) > score(a) ? b : a), undefined);
}

const namesOf = (records: readonly Numbers[]): string[] => [...new Set(records.flatMap(Object.keys))];

export const pointsOf = (records: readonly Numbers[], name: string): Point[] =>
  records.flatMap((record) => (record[name] === undefined ? [] : [[record.step, record[name]] as const]));

const ACRONYMS = /\b(psnr|ssim|kl|l1|fvd|fid)\b/gi;

/** `unseenSsim` → Unseen SSIM. */
export function titleOf(name: string): string {
  const words = name.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();
  const shown = words.replace(ACRONYMS, (word) => word.toUpperCase());
  return shown.charAt(0).toUpperCase() + shown.slice(1);
}
