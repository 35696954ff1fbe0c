/**
 * A report for the terminal: a block a question, each with the command that asks it. Measures nothing.
 */
import type { EvaluationReport } from './report.ts';
import {
  barsTable,
  frechetNotes,
  kindsTable,
  measuresTable,
  reconstructionNotes,
  reconstructionTable,
  scoresTable,
  speedNotes,
  type Table,
} from './report-tables.ts';
import { KINDS } from './scores.ts';

/** The report as text. */
export function formatReport(report: EvaluationReport): string {
  const { commands, settings } = report;
  const blocks = [
    [head(report)],
    [laidOut(scoresTable(report)), ...frechetNotes(report), commands.generated ?? ''],
    [laidOut(measuresTable(report))],
    ...KINDS.map((kind) => [laidOut(kindsTable(report, kind))]),
    [laidOut(reconstructionTable(report)), ...reconstructionNotes(report), commands.reconstruction ?? ''],
    [`speed: ${speedNotes(report).join('\n')}`],
    [laidOut(barsTable(report))],
    [settings.parts.length > 1 ? `all of it: ${report.command}` : ''],
  ];
  return blocks
    .map((lines) => lines.filter((line) => line !== '').join('\n'))
    .filter((block) => block !== '')
    .join('\n\n');
}

/** What was scored, in two lines. */
export function head({ model, settings }: EvaluationReport): string {
  const { triples, seed, steps, guidanceScale, timeShift, frames, parts } = settings;
  const sampling = `, ${steps} steps, guidance ${guidanceScale}, time shift ${timeShift}`;
  return [
    `${model.directory} (sha256 ${model.sha256.slice(0, 16)}, ${(model.bytes / 1e6).toFixed(1)} MB)`,
    `${triples} held-out triples, ${frames} frames, seed ${seed}${parts.includes('generated') ? sampling : ''}`,
  ].join('\n');
}

/** First column to the left, the others to the right, as wide as they need to be; nothing for a table without rows. */
function laidOut(rows: Table): string {
  if (rows.length < 2) return '';
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)));
  return rows
    .map((cells) =>
      cells
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
