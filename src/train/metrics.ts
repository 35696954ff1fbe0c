/**
 * Where a run's numbers go: a JSONL file for machines, one live line for people. Does not know what the numbers mean.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { DataReport } from '../data/clip-source.ts';
import type { ConfigChange } from './config-record.ts';
import { writingError } from './disk.ts';

export type StepRecord = {
  step: number;
  steps: number;
  seconds: number;
  samples: number;
  /** Arithmetic of the step. */
  flops: number;
  /** Of the step's time, what went into waiting for its batches. */
  dataSeconds: number;
  rate: number;
  gradientNorm: number;
} & Record<string, number>;

export type ValidationRecord = { step: number; seconds: number; score: number } & Record<string, number>;

export interface Metrics {
  /** The run goes on after `step` steps, its config changed so: what an interrupted run wrote beyond them is forgotten. */
  begin(step: number, changes?: readonly ConfigChange[]): void;
  /** What the run learns from, and what of the data it had to leave out. */
  data(report: DataReport & { readonly step: number }): void;
  step(record: StepRecord): void;
  validated(record: ValidationRecord): void;
  /** The run ended before its last step, for this reason. */
  stopped(reason: string): void;
  /** Runs what is not a training step, and leaves its time out of the rates. */
  aside<T>(work: () => Promise<T>): Promise<T>;
}

/** Takes a line for people; `final` lines stay, others may be overwritten. */
export type Show = (line: string, final: boolean) => void;

export const metricsFile = (folder: string): string => path.join(folder, 'metrics.jsonl');

/** Writes every `every`-th step into `metrics.jsonl` in `folder`, and shows it. `now` is a clock in seconds. */
export function openMetrics(folder: string, options: { every: number; show: Show; now?: () => number }): Metrics {
  const { every, show, now = () => performance.now() / 1000 } = options;
  const file = metricsFile(folder);
  const write = (kind: string, { step, ...record }: { step: number; [field: string]: unknown }): void => {
    const line = { kind, time: new Date().toISOString(), step, ...record };
    try {
      mkdirSync(folder, { recursive: true });
      appendFileSync(file, `${JSON.stringify(line, (_, v) => (typeof v === 'number' ? rounded(v) : v))}\n`);
    } catch (error) {
      throw writingError(folder, error);
    }
  };
  /** Since the last line: steps, samples, arithmetic, waiting, and when it began without what ran aside. */
  const nothing = () => ({ steps: 0, samples: 0, flops: 0, waited: 0, start: now() });
  let since = nothing();
  /** Steps done; undefined before the run begins. */
  let at: number | undefined;
  return {
    begin(step, changes = []) {
      if (existsSync(file)) forget(file, step);
      at = step;
      if (step > 0 && changes.length > 0) {
        write('change', { step, changes });
        show(
          `from step ${step} on: ${changes.map(({ field, to }) => `${field} ${JSON.stringify(to)}`).join(', ')}`,
          true,
        );
      }
      since.start = now();
    },
    data(report) {
      write('data', report);
      for (const line of dataLines(report)) show(line, true);
    },
    step(record) {
      const { flops, dataSeconds, ...shown } = record;
      since.steps += 1;
      since.samples += record.samples;
      since.flops += flops;
      since.waited += dataSeconds;
      const { step, steps } = record;
      at = step;
      if (step % every !== 0 && step !== 1 && step !== steps) return;
      const elapsed = Math.max(now() - since.start, 1e-6);
      const rates = {
        samplesPerSecond: since.samples / elapsed,
        gflops: since.flops / elapsed / 1e9,
        dataShare: Math.min(1, since.waited / elapsed),
      };
      const left = ((steps - step) * elapsed) / since.steps;
      since = nothing();
      write('step', { ...shown, ...rates });
      show(stepLine(record, { ...rates, left }), false);
    },
    validated(record) {
      write('validation', record);
      const { step, score, seconds, ...figures } = record;
      const rest = Object.entries(figures).map(([name, value]) => `${name} ${value.toFixed(3)}`);
      show([`validation at ${step} (${duration(seconds)}): score ${score.toFixed(3)}`, ...rest].join('  '), true);
    },
    stopped(reason) {
      if (at !== undefined) write('stopped', { step: at, reason });
    },
    async aside(work) {
      const start = now();
      try {
        return await work();
      } finally {
        since.start += now() - start;
      }
    },
  };
}

type Rates = { samplesPerSecond: number; gflops: number; dataShare: number; left: number };

function stepLine(record: StepRecord, rates: Rates): string {
  const { step, steps, gradientNorm } = record;
  return [
    `step ${step}/${steps}`,
    `loss ${record['loss']?.toFixed(4)}`,
    `gradient ${gradientNorm.toFixed(3)}`,
    `${rates.samplesPerSecond.toFixed(1)} samples/s`,
    `${rates.gflops.toFixed(rates.gflops < 10 ? 1 : 0)} GFLOP/s`,
    // A loader that keeps up is no news.
    ...(rates.dataShare < 0.1 ? [] : [`data ${Math.round(100 * rates.dataShare)} %`]),
    step < steps ? `${duration(rates.left)} left` : 'done',
  ].join('  ');
}

/** Six figures; counts stay whole. */
const rounded = (value: number): number => (Number.isInteger(value) ? value : Number(value.toPrecision(6)));

/** 8 s, 3 min 20 s, 2 h 5 min. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Drops records of steps after `step`, and a last line that was cut short. */
function forget(file: string, step: number): void {
  const lines = readFileSync(file, 'utf8').split('\n');
  const kept = lines.filter((line) => {
    try {
      return (JSON.parse(line) as { step: number }).step <= step;
    } catch {
      return false;
    }
  });
  if (kept.length !== lines.length - 1) writeFileSync(file, kept.map((line) => `${line}\n`).join(''));
}

/** Tells of every tenth of the clips being decoded. */
export const decodingLine =
  (show: Show) =>
  (done: number, total: number): void => {
    if (done === total || done % Math.ceil(total / 10) === 0) show(`clips: ${done} of ${total} ready`, done === total);
  };

/** Skipped clips by name, the first of many. */
const SHOWN_SKIPPED = 10;

function dataLines({ clips, heldOut, skipped = [], notes }: DataReport): string[] {
  const head = `data: ${clips} clips, ${heldOut} of them held out, ${skipped.length} skipped`;
  const named = skipped.slice(0, SHOWN_SKIPPED).map(({ name, reason }) => `  skipped ${name}: ${reason}`);
  const rest = skipped.length - named.length;
  return [
    ...(clips === undefined ? [] : [head]),
    ...named,
    ...(rest > 0 ? [`  and ${rest} more, named by step-video data check`] : []),
    ...notes,
  ];
}
