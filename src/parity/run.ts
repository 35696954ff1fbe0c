/**
 * Runs every recorded set of a directory and sums each up in a line. Does not know what sets there are.
 */
import { StepVideoError } from '../errors.ts';
import type { Comparison } from './compare.ts';
import { findSets } from './sets.ts';

export type SetReport = {
  readonly set: string;
  /** Tensors compared. */
  readonly tensors: number;
  /** Largest absolute deviation. */
  readonly absolute: number;
  /** Largest deviation over a tensor's largest magnitude, of tensors that are more than rounding. */
  readonly relative: number;
  /** Of the tensor that came nearest to it. */
  readonly tolerance: number;
  readonly ok: boolean;
  /** Why it failed. */
  readonly note?: string;
};

/** Compares every set below `dir`, in order, and tells `onSet` of each. Throws an input error where there is none. */
export async function runParity(
  dir: string,
  { onSet = () => {} }: { onSet?: (report: SetReport) => void } = {},
): Promise<{ sets: SetReport[]; failed: number }> {
  const sets: SetReport[] = [];
  for (const { name, compare } of await findSets(dir)) {
    const report = await compare().then(
      (comparisons) => summary(name, comparisons),
      (error: unknown) => failure(name, error),
    );
    sets.push(report);
    onSet(report);
  }
  return { sets, failed: sets.filter(({ ok }) => !ok).length };
}

function summary(set: string, comparisons: readonly Comparison[]): SetReport {
  const real = comparisons.filter(({ absolute, relative, tolerance }) => absolute / relative > tolerance);
  const used = ({ absolute, tolerance }: Comparison): number => (absolute === 0 ? 0 : absolute / tolerance);
  const nearest = comparisons.reduce((a, b) => (used(b) > used(a) ? b : a), comparisons[0]!);
  const failed = comparisons.filter(({ ok }) => !ok);
  const ok = comparisons.length > 0 && failed.length === 0;
  const names = failed.map(({ name }) => name);
  const more = names.length > 3 ? ` and ${names.length - 3} more` : '';
  return {
    set,
    tensors: comparisons.length,
    absolute: Math.max(0, ...comparisons.map(({ absolute }) => absolute)),
    relative: Math.max(0, ...real.map(({ relative }) => relative)),
    tolerance: nearest?.tolerance ?? 0,
    ok,
    ...(!ok && { note: names.length === 0 ? 'nothing to compare' : names.slice(0, 3).join(', ') + more }),
  };
}

function failure(set: string, error: unknown): SetReport {
  const note = error instanceof StepVideoError ? error.message : String((error as Error)?.stack ?? error);
  return { set, tensors: 0, absolute: Number.NaN, relative: Number.NaN, tolerance: Number.NaN, ok: false, note };
}

/** Heads of the columns of `formatReport`. */
export const REPORT_HEADER = line(['set', 'tensors', 'max abs', 'max rel', 'tolerance', 'result']);

/** One line of the table. */
export function formatReport({ set, tensors, absolute, relative, tolerance, ok, note }: SetReport): string {
  const number = (value: number): string =>
    Number.isNaN(value) ? '-' : value === 0 ? '0' : Number.isFinite(value) ? value.toExponential(1) : '∞';
  const cells = [set, String(tensors), number(absolute), number(relative), number(tolerance), ok ? 'ok' : 'FAIL'];
  return line(cells) + (note === undefined ? '' : `  ${note.replace(/\n\s*/g, ' ')}`);
}

function line([set, ...cells]: readonly string[]): string {
  return [(set as string).padEnd(24), ...cells.map((cell) => cell.padStart(9))].join(' ');
}
