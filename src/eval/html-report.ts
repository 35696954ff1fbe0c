/**
 * A report as one HTML file with everything in it, clips included: no script, no request. Measures nothing.
 */
import { readFile, writeFile } from 'node:fs/promises';
import type { Grid } from './evaluate-generation.ts';
import { STYLE } from './html-style.ts';
import type { EvaluationReport } from './report.ts';
import {
  barsTable,
  DEFINITIONS,
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

/** Writes `file`; the clips of the grids are read and put in. */
export async function writeHtmlReport(file: string, report: EvaluationReport, grids: readonly Grid[]): Promise<void> {
  const figures = await Promise.all(grids.map(gridOf));
  const { model, settings, date, machine, data, commands, command } = report;
  const { processor, cores, memoryBytes, node } = machine;
  const sampling = `${settings.steps} steps, guidance ${settings.guidanceScale}, time shift ${settings.timeShift}`;
  const body = [
    `<h1>${escaped(model.directory)}</h1>`,
    `<p class="soft">${escaped(`${settings.triples} held-out triples, ${settings.frames} frames, ${sampling}, seed ${settings.seed}`)}</p>`,
    `<p class="lead">${barsMet(report)}</p>`,
    section('Bars', tableOf(barsTable(report))),
    section(
      'What clips show',
      `<p class="soft small">Shares of clips. Real clips are the most that can be reached, wrong prompts are chance.</p>${tableOf(scoresTable(report), { shares: true })}`,
      notes(frechetNotes(report)),
    ),
    section('How steady they are', tableOf(measuresTable(report))),
    section('Clips, the first seeds in order, none chosen', ...figures),
    section('Kind by kind', ...KINDS.map((kind) => folded(`By ${kind}`, kindsTable(report, kind)))),
    section(
      'What the video autoencoder keeps',
      tableOf(reconstructionTable(report)),
      notes(reconstructionNotes(report)),
    ),
    section('Speed and memory', notes(speedNotes(report))),
    section('How each is defined', definitions()),
    section(
      'Where this comes from',
      `<pre><code>${escaped(command)}</code></pre>`,
      ...Object.values(commands).flatMap((each) =>
        each === command ? [] : [`<pre><code>${escaped(each)}</code></pre>`],
      ),
      notes([
        `${date}, ${processor}, ${cores} cores, ${(memoryBytes / 1e9).toFixed(0)} GB, Node ${node}`,
        `model sha256 ${model.sha256}, ${(model.bytes / 1e6).toFixed(1)} MB; data ${data}`,
        ...(model.trained ? [trainedOn(model.trained)] : []),
      ]),
    ),
  ];
  await writeFile(file, page(`Evaluation of ${model.directory}`, body.join('\n')));
}

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`;
}

/** A heading and its parts; nothing where all parts are empty. */
function section(title: string, ...parts: readonly string[]): string {
  const given = parts.filter((part) => part !== '');
  return given.length === 0 ? '' : `<section>\n<h2>${title}</h2>\n${given.join('\n')}\n</section>`;
}

function barsMet({ bars }: EvaluationReport): string {
  const count = (met: boolean) => bars.filter((bar) => bar.met === met).length;
  const open = bars.length - count(true) - count(false);
  const parts = [
    `<span class="met">${count(true)} met</span>`,
    ...(count(false) > 0 ? [`<span class="missed">${count(false)} missed</span>`] : []),
    ...(open > 0 ? [`<span class="soft">${open} not measured</span>`] : []),
  ];
  return `Of ${bars.length} bars: ${parts.join(', ')}`;
}

/** A table, or nothing where it has no rows. Where cells are shares, those from the third column on show as bars too. */
function tableOf(rows: Table, { shares = false } = {}): string {
  const [heads, ...rest] = rows;
  if (!heads || rest.length === 0) return '';
  const cell = (text: string, column: number): string => {
    if (text === 'met' || text === 'missed' || text === 'open') return `<td class="${text}">${text}</td>`;
    const isShare = shares && column >= 2 && text !== '';
    const style = isShare ? ` class="share" style="--of: ${(100 * Number(text)).toFixed(0)}%"` : '';
    return `<td${style}>${escaped(text)}</td>`;
  };
  const head = `<tr>${heads.map((text) => `<th>${escaped(text)}</th>`).join('')}</tr>`;
  const body = rest.map((cells) => `<tr>${cells.map(cell).join('')}</tr>`).join('\n');
  return `<div class="scroll"><table>\n<thead>${head}</thead>\n<tbody>\n${body}\n</tbody></table></div>`;
}

/** A table under its title, open where it is short. */
function folded(title: string, rows: Table): string {
  const table = tableOf(rows, { shares: true });
  const open = rows.length <= LONG_TABLE ? ' open' : '';
  return table === '' ? '' : `<details${open}><summary>${escaped(title)}</summary>\n${table}\n</details>`;
}

/** Rows beyond which a table is folded. */
const LONG_TABLE = 20;

const notes = (lines: readonly string[]): string =>
  lines.map((line) => `<p class="soft small">${escaped(line)}</p>`).join('\n');

async function gridOf({ title, clips }: Grid): Promise<string> {
  const figures = await Promise.all(
    clips.map(async ({ file, caption, verdict, met }) => {
      const data = (await readFile(file)).toString('base64');
      const image = `<img src="data:image/webp;base64,${data}" alt="${escaped(caption)}" loading="lazy">`;
      const seen = met === undefined ? '' : `<span class="${met ? 'met' : 'missed'}">${escaped(verdict)}</span>`;
      return `<figure>${image}<figcaption>${escaped(caption)}${seen}</figcaption></figure>`;
    }),
  );
  return `<h3>${escaped(title)}</h3>\n<div class="grid">\n${figures.join('\n')}\n</div>`;
}

const definitions = (): string =>
  `<dl>${DEFINITIONS.map(([score, line]) => `<dt>${escaped(score)}</dt><dd>${escaped(line)}</dd>`).join('\n')}</dl>`;

function trainedOn({ subjects, backgrounds, motions }: NonNullable<EvaluationReport['model']['trained']>): string {
  return (
    `asked only for what the model was trained on: ${subjects.length} subjects, ${backgrounds.length} backgrounds, ` +
    `${motions.length} motions (${motions.join(', ')})`
  );
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
