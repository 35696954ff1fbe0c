/**
 * Where a run's numbers go: a JSONL file for machines, one live line for people. Does not know what the numbers mean.
 */
import { appendFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';

export type StepRecord = {
  step: number;
  steps: number;
  seconds: number;
  samples: number;
  rate: number;
  gradientNorm: number;
} & Record<string, number>;

export interface Metrics {
  step(record: StepRecord): void;
  validated(record: { step: number; seconds: number; score: number } & Record<string, number>): void;
}

/** Writes `metrics.jsonl` into `folder`; shows every `every`-th step through `show`, on a terminal in place. */
export function openMetrics(
  folder: string,
  options: { every: number; show: (line: string, final: boolean) => void },
): Metrics {
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'metrics.jsonl');
  const write = (record: object): void =>
    appendFileSync(
      file,
      `${JSON.stringify(record, (_, v) => (typeof v === 'number' ? Number(v.toPrecision(6)) : v))}\n`,
    );
  let window: { seconds: number; samples: number } | undefined;
  let samples = 0;
  return {
    step(record) {
      samples += record.samples;
      if (record.step % options.every !== 0 && record.step !== 1 && record.step !== record.steps) return;
      const elapsed = window === undefined ? 0 : record.seconds - window.seconds;
      const perSecond = window === undefined ? 0 : (samples - window.samples) / elapsed;
      const stepsPerSecond = window === undefined ? 0 : options.every / elapsed;
      window = { seconds: record.seconds, samples };
      write({ kind: 'step', ...record, samplesPerSecond: perSecond });
      const eta = stepsPerSecond > 0 ? `${Math.round((record.steps - record.step) / stepsPerSecond)} s left` : '';
      options.show(
        `step ${record.step}/${record.steps}  loss ${record['loss']?.toFixed(4)}  gradient ${record.gradientNorm.toFixed(3)}  rate ${record.rate.toFixed(3)}  ${perSecond.toFixed(1)} samples/s  ${eta}`,
        false,
      );
    },
    validated(record) {
      write({ kind: 'validation', ...record });
      const { step, score, seconds, ...figures } = record;
      const rest = Object.entries(figures).map(([k, v]) => `${k} ${v.toFixed(3)}`);
      options.show(
        `validation at ${step} (${Math.round(seconds)} s): score ${score.toFixed(3)}  ${rest.join('  ')}`,
        true,
      );
    },
  };
}
