/**
 * The page of a report around its charts: head, tiles, notes, sample grids, tables, config. Knows records and pictures;
 * reads no file.
 */
import { type ConfigChange, configChanges } from '../config-record.ts';
import { duration } from '../metrics.ts';
import { figure } from './axis.ts';
import { chartHtml } from './chart.ts';
import { configText } from './config-text.ts';
import { quantile, smoothed } from './curves.ts';
import { escapeHtml } from './escape.ts';
import type { Picture } from './pictures.ts';
import { bestValidation, colourAt, pointsOf, runCharts, titleOf } from './run-charts.ts';
import type { RunRecords } from './run-folder.ts';
import { STYLE } from './style.ts';

/** A run with its sample grids, oldest first. */
export type ReportedRun = { readonly records: RunRecords; readonly pictures: readonly Picture[] };

/** The whole page about one run, or about two beside each other. */
export function reportPage(run: ReportedRun, other?: ReportedRun): string {
  const runs = other ? [run, other] : [run];
  const records = runs.map((r) => r.records);
  const charts = [...runCharts(records)].map(
    ([section, list]) => [section, `<div class="charts">${list.map(chartHtml).join('')}</div>`] as const,
  );
  const [early, late] = [charts.slice(0, 2), charts.slice(2)];
  const differences = other ? differencesHtml(run.records, other.records) : '';
  const body = [
    other ? pairHead(run.records, other.records) : runHead(run.records),
    notesHtml(records),
    other ? `<h2>side by side</h2>${sideBySide(run.records, other.records)}` : '',
    other ? `<h2>configs differ in</h2>${differences}` : '',
    ...early.map(([section, html]) => (section === 'loss' && !other ? html : `<h2>${section}</h2>${html}`)),
    samplesHtml(runs),
    ...late.map(([section, html]) => `<h2>${section}</h2>${html}`),
    configsHtml(records),
    footer(records),
  ];
  const title = records.map(({ name }) => name).join(' and ');
  return [
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeHtml(title)} · training report</title><style>${STYLE}</style></head>`,
    `<body><main>${body.filter((part) => part !== '').join('\n')}</main></body></html>\n`,
  ].join('\n');
}

function runHead(run: RunRecords): string {
  return [
    `<header><div class="top"><h1>${escapeHtml(run.name)}</h1>${chip(run)}</div>`,
    `<p class="about">${escapeHtml(about(run))}</p></header>`,
    `<dl class="tiles">${tiles(run)}</dl>`,
  ].join('\n');
}

function pairHead(run: RunRecords, other: RunRecords): string {
  const name = (r: RunRecords, i: number): string =>
    `<h1><i class="key big" style="--c:${colourAt(i)}"></i>${escapeHtml(r.name)}</h1>`;
  const abouts = [run, other].map((r) => `<p class="about">${escapeHtml(`${r.name}: ${about(r)}`)}</p>`);
  return `<header><div class="top">${name(run, 0)}<span class="versus">beside</span>${name(other, 1)}</div>${abouts.join('')}</header>`;
}

const STAGES: Readonly<Record<string, string>> = { vae: 'Video-VAE', dit: 'denoiser and text encoders' };

function about({ config, folder }: RunRecords): string {
  const { stage, seed } = config ?? {};
  return [STAGES[String(stage)] ?? stage, seed === undefined ? undefined : `seed ${seed}`, folder]
    .filter((part) => part !== undefined)
    .join(' · ');
}

const stepsOf = ({ steps, config }: RunRecords): [done: number, all: number | undefined] => [
  steps.at(-1)?.step ?? 0,
  typeof config?.['steps'] === 'number' ? config['steps'] : steps.at(-1)?.['steps'],
];

function chip(run: RunRecords): string {
  const [done, all] = stepsOf(run);
  if (run.stopped) return '<span class="chip stopped">stopped</span>';
  return done === all ? '<span class="chip done">done</span>' : '<span class="chip">under way</span>';
}

const secondsOf = ({ steps, validations }: RunRecords): number =>
  Math.max(0, steps.at(-1)?.['seconds'] ?? 0, validations.at(-1)?.['seconds'] ?? 0);

/** The middle value of a figure over the run. */
function typical(run: RunRecords, name: string): number | undefined {
  const points = pointsOf(run.steps, name);
  return points.length === 0 ? undefined : quantile(points, 0.5);
}

/** The loss now, as its smoothed curve has it. */
const lossOf = ({ steps }: RunRecords): number | undefined => smoothed(pointsOf(steps, 'loss')).at(-1)?.[1];

function tiles(run: RunRecords): string {
  const [done, all] = stepsOf(run);
  const best = bestValidation(run.validations);
  const [speed, gflops, share] = ['samplesPerSecond', 'gflops', 'dataShare'].map((name) => typical(run, name));
  const tile = (name: string, value: string, more = ''): string =>
    `<div><dt>${name}</dt><dd>${value}${more && `<small>${more}</small>`}</dd></div>`;
  return [
    tile('Steps', figure(done), all === undefined ? '' : `of ${figure(all)}`),
    tile('Time in training', duration(secondsOf(run)), `${(secondsOf(run) / 3600).toFixed(2)} hours`),
    ...(best?.['score'] === undefined
      ? []
      : [tile('Best score', figure(best['score']), `at step ${figure(best.step)}`)]),
    ...(lossOf(run) === undefined ? [] : [tile('Loss', figure(lossOf(run)!), 'smoothed')]),
    ...(speed === undefined
      ? []
      : [tile('Samples a second', figure(speed), gflops === undefined ? '' : `${figure(gflops)} GFLOP/s`)]),
    ...(share === undefined ? [] : [tile('Waiting for data', `${(100 * share).toFixed(1)} %`, 'of a step')]),
  ].join('');
}

function notesHtml(runs: readonly RunRecords[]): string {
  const notes = runs.flatMap((run, at) => {
    const whose = runs.length > 1 ? `${escapeHtml(run.name)}, ` : '';
    const tone = runs.length > 1 ? colourAt(at) : 'var(--quiet)';
    const changes = run.changes.map(
      ({ step, changes }, i) =>
        `<li><span class="no" style="--c:${tone}">${i + 1}</span>${whose}from step ${figure(step)} on: ${changes.map(changeText).join('; ')}</li>`,
    );
    const why = run.stopped ? [`<li class="why">${whose}${escapeHtml(run.stopped.reason)}</li>`] : [];
    return [...changes, ...why];
  });
  return notes.length === 0 ? '' : `<ul class="card notes">${notes.join('')}</ul>`;
}

const changeText = ({ field, from, to }: ConfigChange): string =>
  `<code>${escapeHtml(field)}</code> ${valueText(from)} → <b>${valueText(to)}</b>`;

const valueText = (value: unknown): string => (value === undefined ? 'nothing' : escapeHtml(JSON.stringify(value)));

/** A row a figure, a column a run. */
function sideBySide(run: RunRecords, other: RunRecords): string {
  const runs = [run, other];
  const bests = runs.map(({ validations }) => bestValidation(validations));
  const names = [...new Set(bests.flatMap((best) => Object.keys(best ?? {})))].filter(
    (name) => !['step', 'seconds', 'score'].includes(name),
  );
  const cell = (value: number | undefined, more = '', isBetter = false): string =>
    `<td class="number${isBetter ? ' better' : ''}">${value === undefined ? '–' : figure(value)}${more && `<small>${more}</small>`}</td>`;
  const row = (name: string, cells: readonly string[]): string =>
    `<tr><td class="name">${escapeHtml(name)}</td>${cells.join('')}</tr>`;
  const top = Math.max(...bests.map((best) => best?.['score'] ?? Number.NEGATIVE_INFINITY));
  const atBest = [
    row(
      'Score',
      bests.map((best) => cell(best?.['score'], best && `at ${figure(best.step)}`, best?.['score'] === top)),
    ),
    ...names.map((name) =>
      row(
        titleOf(name),
        bests.map((best) => cell(best?.[name])),
      ),
    ),
  ];
  const whole = [
    row(
      'Loss at the end',
      runs.map((r) => cell(lossOf(r))),
    ),
    row(
      'Steps',
      runs.map((r) => cell(stepsOf(r)[0], `of ${figure(stepsOf(r)[1] ?? Number.NaN)}`)),
    ),
    row(
      'Time in training',
      runs.map((r) => `<td class="number">${duration(secondsOf(r))}</td>`),
    ),
    row(
      'Samples a second',
      runs.map((r) => cell(typical(r, 'samplesPerSecond'))),
    ),
    row(
      'GFLOP/s',
      runs.map((r) => cell(typical(r, 'gflops'))),
    ),
  ];
  const heads = ['Best validation', 'Whole run'].map((name) => headRow(name, runs, 'number'));
  const rows = [heads[0], ...atBest, heads[1], ...whole].join('');
  return `<div class="card scroll"><table>${rows}</table></div>`;
}

const headRow = (first: string, runs: readonly RunRecords[], kind: string): string =>
  `<tr><th>${first}</th>${runs.map(({ name }, i) => `<th class="${kind}"><i class="key" style="--c:${colourAt(i)}"></i>${escapeHtml(name)}</th>`).join('')}</tr>`;

function differencesHtml(run: RunRecords, other: RunRecords): string {
  if (!run.config || !other.config)
    return `<p class="about">${escapeHtml((run.config ? other : run).name)} kept no config to compare.</p>`;
  const rows = configChanges(run.config, other.config).map(
    ({ field, from, to }) =>
      `<tr><td><code>${escapeHtml(field)}</code></td><td class="field">${valueText(from)}</td><td class="field">${valueText(to)}</td></tr>`,
  );
  if (rows.length === 0) return '<p class="about">Nothing: both ran with the same config.</p>';
  return `<div class="card scroll"><table>${headRow('Field', [run, other], 'field')}${rows.join('')}</table></div>`;
}

/** One run's grids over time; of two runs the last of each. */
function samplesHtml(runs: readonly ReportedRun[]): string {
  const shown = runs.flatMap(({ records, pictures }, i) =>
    (runs.length > 1 ? pictures.slice(-1) : pictures).map(({ name, uri, width, height }) => {
      const step = /^step-(\d+)$/.exec(name);
      const label = `<b>${escapeHtml(step ? `step ${figure(Number(step[1]))}` : name)}</b>`;
      const key = `<i class="key" style="--c:${colourAt(i)}"></i>${escapeHtml(records.name)}, `;
      const caption = runs.length > 1 ? `${key}${label}` : label;
      return `<figure class="card"><figcaption>${caption}</figcaption><img src="${uri}" width="${width}" height="${height}" alt="Grid of samples of ${escapeHtml(records.name)}, ${escapeHtml(name)}"></figure>`;
    }),
  );
  return shown.length === 0 ? '' : `<h2>samples</h2><div class="grids">${shown.join('')}</div>`;
}

function configsHtml(runs: readonly RunRecords[]): string {
  const blocks = runs.map(({ name, config }) =>
    config
      ? `<details class="card"${runs.length > 1 ? '' : ' open'}><summary>${escapeHtml(name)}</summary><pre>${escapeHtml(configText(config))}</pre></details>`
      : `<p class="about">${escapeHtml(name)} kept no config.</p>`,
  );
  return `<h2>config</h2>${blocks.join('')}`;
}

function footer(runs: readonly RunRecords[]): string {
  const parts = runs.flatMap(({ name, time, unreadable }) => {
    const last = time === undefined ? [] : [`last line ${time.slice(0, 16).replace('T', ' ')} UTC`];
    const skipped = unreadable === 0 ? [] : [`lines of metrics.jsonl that do not read: ${unreadable}`];
    const said = [...last, ...skipped];
    return said.length === 0 ? [] : [`${runs.length > 1 ? `${name}: ` : ''}${said.join(', ')}`];
  });
  return `<footer>${escapeHtml(['step-video train report', ...parts].join(' · '))}</footer>`;
}
