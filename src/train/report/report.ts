/**
 * Writes the report of a run, or of two beside each other, as one HTML file that needs nothing else.
 * The order of things alone: reading, drawing and writing are the neighbours'.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { replaceFile, writingErrors } from '../disk.ts';
import { metricsFile } from '../metrics.ts';
import { type ReportedRun, reportPage } from './page.ts';
import { type PictureCache, pictures } from './pictures.ts';
import { readRun } from './run-folder.ts';

export type ReportOptions = {
  /** Folder of the run. */
  readonly run: string;
  /** Folder of a second one to compare with. */
  readonly other?: string | undefined;
  /** Where the page goes: by default `report.html` in the run's folder, or `report-beside-OTHER.html`. */
  readonly out?: string | undefined;
};

/**
 * Writes the page, and returns its path; works while a run goes on and after one has crashed.
 * @throws input error where a folder is no run's; environment error where the page cannot be written.
 */
export async function writeReport(
  { run, other, out }: ReportOptions,
  cache: PictureCache = new Map(),
): Promise<string> {
  const reported = await read(run, cache);
  const second = other === undefined ? undefined : await read(other, cache);
  const isSameName = reported.records.name === second?.records.name;
  const byPath = (r: ReportedRun): ReportedRun => ({ ...r, records: { ...r.records, name: r.records.folder } });
  const page = isSameName ? reportPage(byPath(reported), byPath(second)) : reportPage(reported, second);
  const name = second ? `report-beside-${second.records.name}.html` : 'report.html';
  const file = out ?? path.join(run, name);
  await writingErrors(path.dirname(file), async () => {
    await mkdir(path.dirname(file), { recursive: true });
    await replaceFile(file, page);
  });
  return file;
}

/** Writes the report of a run whenever it is called, and draws each picture but once; nothing before the run's first line. */
export function runReport(run: string): () => Promise<void> {
  const cache: PictureCache = new Map();
  return async () => {
    if (existsSync(metricsFile(run))) await writeReport({ run }, cache);
  };
}

async function read(folder: string, cache: PictureCache): Promise<ReportedRun> {
  const records = await readRun(folder);
  return { records, pictures: await pictures(records.grids, cache) };
}
