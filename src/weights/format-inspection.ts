/**
 * An inspection as text for a terminal: tensors per file, then components, then totals.
 * Knows columns; the facts come from inspect.ts.
 */
import { basename } from 'node:path';
import { type ComponentReport, type FileReport, type Inspection, isComplete } from './inspect.ts';

/** Plain text, one line per tensor, unless `tensors` is false. Ends without a newline. */
export function formatInspection(inspection: Inspection, { tensors = true }: { tensors?: boolean } = {}): string {
  const { files, components, totals } = inspection;
  const blocks = files.map((file) => formatFile(file, tensors));
  if (components.length > 0) blocks.push(formatComponents(components));
  const byDtype = Object.entries(totals.parametersByDtype).map(([dtype, count]) => `${number(count)} ${dtype}`);
  blocks.push(
    `total: ${totals.files} files, ${number(totals.tensors)} tensors, ${number(totals.parameters)} parameters` +
      `${byDtype.length > 0 ? ` (${byDtype.join(', ')})` : ''}, ${bytes(totals.bytes)}`,
  );
  return blocks.join('\n\n');
}

function formatFile(report: FileReport, tensors: boolean): string {
  const head = `${report.file}  ${bytes(report.bytes)}`;
  if (report.error !== undefined) return `${head}\n  unreadable: ${report.error}`;
  const metadata = Object.entries(report.metadata ?? {}).map(([key, value]) => `  ${key}: ${value}`);
  const counts = `${report.format}, ${number(report.tensors.length)} tensors, ${number(report.parameters)} parameters`;
  const lines = [`${head}  ${counts}`, ...metadata];
  if (tensors && report.tensors.length > 0) {
    const rows = report.tensors.map((t) => [
      t.name,
      t.dtype,
      `[${t.shape.join(', ')}]`,
      number(t.parameters),
      bytes(t.bytes),
    ]);
    lines.push(table([['tensor', 'dtype', 'shape', 'parameters', 'size'], ...rows], 'lllrr'));
  }
  return lines.join('\n');
}

function formatComponents(reports: readonly ComponentReport[]): string {
  const rows = reports.map(({ component, path, match, skipped }) => [
    component,
    match === undefined ? 'unreadable' : isComplete(match) ? 'ok' : 'NOT LOADABLE',
    match === undefined ? '-' : `${match.matched}/${match.expected}`,
    `${match?.missing.length ?? '-'}`,
    `${match?.extra.length ?? '-'}`,
    `${match?.misshapen.length ?? '-'}`,
    `${skipped.length}`,
    basename(path),
  ]);
  const head = ['component', 'state', 'matched', 'missing', 'left over', 'misshapen', 'skipped', 'file'];
  const lines = [table([head, ...rows], 'llrrrrrl')];
  for (const { component, match, skipped, error } of reports) {
    if (error !== undefined) lines.push(`  ${component}: ${error}`);
    if (skipped.length > 0) lines.push(`  ${component} skipped: ${some(skipped)}`);
    if (match === undefined) continue;
    if (match.missing.length > 0) lines.push(`  ${component} missing: ${some(match.missing)}`);
    if (match.extra.length > 0) lines.push(`  ${component} left over: ${some(match.extra)}`);
    if (match.misshapen.length > 0) {
      const shapes = match.misshapen.map(
        (m) => `${m.name} [${m.found.join(', ')}] instead of [${m.expected.join(', ')}]`,
      );
      lines.push(`  ${component} misshapen: ${some(shapes)}`);
    }
  }
  return lines.join('\n');
}

const some = (items: readonly string[]): string =>
  items.length <= 8 ? items.join(', ') : `${items.slice(0, 8).join(', ')}, … ${items.length - 8} more`;

/** Rows under each other, columns aligned left (`l`) or right (`r`), indented by two. */
function table(rows: readonly (readonly string[])[], align: string): string {
  const widths = Array.from(align, (_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        align[column] === 'r' ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return rows.map((row) => `  ${line(row)}`).join('\n');
}

const number = (n: number): string => n.toLocaleString('en-US');

function bytes(n: number): string {
  if (n < 1000) return `${n} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  const power = Math.min(Math.floor(Math.log10(n) / 3), units.length);
  return `${(n / 1000 ** power).toPrecision(3)} ${units[power - 1]}`;
}
