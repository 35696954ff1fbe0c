/**
 * What a bench prints: a table for people and, last, one JSON line for scripts. Knows no bench.
 */
import { availableParallelism, cpus } from 'node:os';
import type { Timing } from './interleave.ts';

/** Cells of one row by column; numbers are shown to four digits, absent ones as `-`. */
export type Row = Readonly<Record<string, string | number | undefined>>;

/** Columns of a timing, in milliseconds and GFLOP/s. */
export const timingRow = ({ name, medianSeconds, fastestSeconds, gflops, yardstickGflops, share }: Timing): Row => ({
  name,
  ms: medianSeconds * 1e3,
  'fastest ms': fastestSeconds * 1e3,
  'GFLOP/s': gflops,
  'matmul GFLOP/s': yardstickGflops,
  share,
});

/** Largest memory that this process has held so far, in MB (10^6 bytes). */
export const peakMegabytes = (): number => (process.resourceUsage().maxRSS * 1024) / 1e6;

/** Prints the rows, which must have the same columns, then everything as one JSON line. */
export function report(bench: string, rows: readonly Row[], settings: Readonly<Record<string, unknown>> = {}): void {
  const machine = `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} threads, Node ${process.version}`;
  console.log(`${bench} (${machine})\n${table(rows)}`);
  console.log(
    JSON.stringify({ bench, machine, ...settings, rows }, (_, v) => (typeof v === 'number' ? rounded(v) : v)),
  );
}

const rounded = (value: number): number => Number(value.toPrecision(4));

function table(rows: readonly Row[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const lines = [columns, ...rows.map((row) => columns.map((column) => cell(row[column])))];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  return lines
    .map((line) => line.map((text, i) => (i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))).join('  '))
    .join('\n');
}

function cell(value: string | number | undefined): string {
  if (value === undefined) return '-';
  return typeof value === 'number' ? String(rounded(value)) : value;
}
