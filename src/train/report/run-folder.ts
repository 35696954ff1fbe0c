/**
 * What a run's folder says about the run: config, lines of metrics.jsonl, grids of samples. Reads, draws nothing.
 * A run may be going on or have crashed in the middle of a line: what does not read is counted and passed over.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { inputError } from '../../errors.ts';
import { type ConfigChange, keptConfig } from '../config-record.ts';
import { metricsFile } from '../metrics.ts';

/** Numbers of one line by name, `step` among them. */
export type Numbers = { readonly step: number } & Readonly<Record<string, number>>;

export type RunRecords = {
  readonly folder: string;
  readonly name: string;
  /** Absent where the run kept none, as runs of older versions. */
  readonly config: Readonly<Record<string, unknown>> | undefined;
  readonly steps: readonly Numbers[];
  readonly validations: readonly Numbers[];
  /** Where the run went on with another config. */
  readonly changes: readonly { readonly step: number; readonly changes: readonly ConfigChange[] }[];
  /** Why the run stands still, where its last line says so. */
  readonly stopped: { readonly step: number; readonly reason: string } | undefined;
  /** When its last line was written, ISO 8601. */
  readonly time: string | undefined;
  /** Lines that could not be read. */
  readonly unreadable: number;
  /** Paths of `samples/*.png`, oldest first. */
  readonly grids: readonly string[];
};

/** @throws input error where `folder` holds no metrics of a run. */
export async function readRun(folder: string): Promise<RunRecords> {
  const file = metricsFile(folder);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw inputError(
      'train report',
      'must be given the folder of a run, which holds metrics.jsonl',
      folder,
      error.code,
    );
  });
  const texts = text.split('\n').filter((line) => line.trim() !== '');
  const lines = texts.flatMap((line) => lineOf(line) ?? []);
  const numbers = (kind: string): Numbers[] => lines.filter((line) => line.kind === kind).map(numbersOf);
  const config = await keptConfig(folder);
  const last = lines.at(-1);
  return {
    folder,
    name: path.basename(path.resolve(folder)),
    config: config as RunRecords['config'],
    steps: numbers('step'),
    validations: numbers('validation'),
    changes: lines.flatMap(({ kind, step, changes }) =>
      kind === 'change' && Array.isArray(changes) ? [{ step, changes: changes as ConfigChange[] }] : [],
    ),
    stopped: last?.kind === 'stopped' ? { step: last.step, reason: String(last['reason']) } : undefined,
    time: typeof last?.['time'] === 'string' ? last['time'] : undefined,
    unreadable: texts.length - lines.length,
    grids: await gridsOf(path.join(folder, 'samples')),
  };
}

type Line = { kind: string; step: number; [field: string]: unknown };

function lineOf(text: string): Line | undefined {
  try {
    const line: unknown = JSON.parse(text);
    const { kind, step } = (line ?? {}) as Partial<Line>;
    return typeof kind === 'string' && typeof step === 'number' ? (line as Line) : undefined;
  } catch {
    return undefined;
  }
}

/** A number that was not finite is null in JSON, and left out. */
function numbersOf(line: Line): Numbers {
  return Object.fromEntries(Object.entries(line).filter(([, value]) => typeof value === 'number')) as Numbers;
}

async function gridsOf(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((): string[] => []);
  // Names hold the step with leading zeros; longer ones come behind shorter ones all the same.
  return names
    .filter((name) => name.endsWith('.png'))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .map((name) => path.join(folder, name));
}
