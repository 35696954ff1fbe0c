/** Reports of written runs: what is on the page, runs that crash or go on, two runs, what cannot be read. */
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run as commandLine } from '../../../src/cli/run.ts';
import { configChanges } from '../../../src/train/config-record.ts';
import { runReport, writeReport } from '../../../src/train/report/report.ts';
import { runCharts } from '../../../src/train/report/run-charts.ts';
import { readRun } from '../../../src/train/report/run-folder.ts';

const root = mkdtempSync(path.join(tmpdir(), 'reports-'));
afterAll(() => rmSync(root, { recursive: true }));
const at = (...parts: string[]): string => path.join(root, ...parts);

const step = (n: number, loss = 1 / n) => ({
  kind: 'step',
  time: '2026-01-02T03:04:05.000Z',
  step: n,
  steps: 80,
  seconds: 60 * n,
  samples: 4,
  rate: 1,
  gradientNorm: 0.5 + 1 / n,
  loss,
  '1x64.loss': loss,
  '17x64.loss': loss / 2,
  kl: 3,
  '1x64.kl': 3,
  samplesPerSecond: 9.5,
  gflops: 33,
  dataShare: 0.04,
});
const validation = (n: number, loss: number) => ({
  kind: 'validation',
  time: '2026-01-02T03:04:05.000Z',
  step: n,
  seconds: 60 * n,
  score: -loss,
  loss,
  'loss t 0.0-0.5': loss / 2,
  'loss t 0.5-1.0': loss * 2,
});

async function written(name: string, lines: readonly object[], config?: object): Promise<string> {
  const folder = at(name);
  mkdirSync(path.join(folder, 'samples'), { recursive: true });
  writeFileSync(path.join(folder, 'metrics.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  if (config) writeFileSync(path.join(folder, 'config.json'), JSON.stringify(config));
  return folder;
}

async function addGrid(folder: string, name: string, background: string): Promise<void> {
  const picture = sharp({ create: { width: 24, height: 12, channels: 3, background } });
  await picture.png().toFile(path.join(folder, 'samples', name));
}

const config = { stage: 'dit', name: '<b>&"', seed: 3, steps: 80, groups: [{ lr: 0.1, betas: [0.9, 0.95] }] };
const change = { kind: 'change', step: 40, changes: [{ field: 'groups.0.lr', from: 0.2, to: 0.1 }] };
const lines = [
  ...Array.from({ length: 40 }, (_, i) => step(i + 1)),
  validation(40, 0.5),
  change,
  ...Array.from({ length: 40 }, (_, i) => step(i + 41)),
  validation(80, 0.25),
];

let run: string;
let other: string;
beforeAll(async () => {
  run = await written('run', lines, config);
  await addGrid(run, 'step-000040.png', 'red');
  await addGrid(run, 'step-1000000.png', 'blue');
  await addGrid(run, 'step-000080.png', 'green');
  other = await written('other', lines.slice(0, 30), { ...config, seed: 4, captionDrop: 0.1 });
  await addGrid(other, 'step-000030.png', 'white');
});

/** Names of tags that are opened and never closed, or the other way round. */
function unbalanced(html: string): string[] {
  const open: string[] = [];
  const VOID = new Set(['meta', 'img', 'path', '!doctype']);
  for (const [, slash, name] of html.matchAll(/<(\/?)([a-z!][a-z0-9]*)/g)) {
    if (VOID.has(name!)) continue;
    if (slash === '') open.push(name!);
    else if (open.pop() !== name) return [`</${name}>`];
  }
  return open;
}

const titles = (html: string): string[] => [...html.matchAll(/<h3>(.*?)<\/h3>/g)].map(([, title]) => title!);

describe('the report of a run', () => {
  it('is one page that needs nothing else, in order and with everything on it', async () => {
    const file = await writeReport({ run });
    expect(file).toBe(path.join(run, 'report.html'));
    const html = readFileSync(file, 'utf8');
    expect(unbalanced(html)).toEqual([]);
    expect(html).not.toMatch(/<script|<link|https?:|url\(|NaN|undefined/);
    expect(titles(html)).toEqual([
      'Loss',
      'Loss',
      'Loss by t',
      'Loss by bucket',
      'KL',
      'Gradient norm',
      'Learning rate factor',
      'Samples a second',
      'GFLOP/s reached',
      'Waiting for data, % of the time',
    ]);
    for (const text of [
      '<h1>run</h1><span class="chip done">done</span>',
      'denoiser and text encoders · seed 3',
      '<dd>80<small>of 80</small></dd>',
      '<dd>1 h 20 min<small>1.33 hours</small></dd>',
      '<dd>−0.2500<small>at step 80</small></dd>',
      'from step 40 on: <code>groups.0.lr</code> 0.2 → <b>0.1</b>',
      '&quot;name&quot;: &quot;&lt;b&gt;&amp;\\&quot;&quot;',
      'last line 2026-01-02 03:04 UTC',
    ])
      expect(html).toContain(text);
    expect(html.match(/class="mark"/g)).toHaveLength(titles(html).length);
    const grids = [...html.matchAll(/<b>step ([\d,]+)<\/b><\/figcaption><img src="data:image\/webp/g)];
    expect(grids.map(([, label]) => label)).toEqual(['40', '80', '1,000,000']);
  });

  it('puts the figures of one prefix into one chart, and marks the best where the score is a figure', async () => {
    const charts = runCharts([await readRun(run)]).get('validation')!;
    expect(charts.map(({ title, lines: l }) => [title, l.map(({ label }) => label)])).toEqual([
      ['Loss', ['loss']],
      ['Loss by t', ['0.0-0.5', '0.5-1.0']],
    ]);
    expect(charts[0]!.lines[0]!.best).toEqual([80, 0.25]);
    expect(new Set(charts[1]!.lines.map(({ colour }) => colour)).size).toBe(2);
  });

  it('can be written in the middle of a line, of a picture and of a run, and says why one stopped', async () => {
    const folder = await written('crashed', [...lines.slice(0, 30), { ...step(31), loss: null, kl: null }]);
    appendFileSync(path.join(folder, 'metrics.jsonl'), '{"kind":"step","st');
    writeFileSync(path.join(folder, 'samples', 'step-000030.png'), 'half a picture');
    const html = () => readFileSync(path.join(folder, 'report.html'), 'utf8');
    await writeReport({ run: folder });
    expect(html()).toContain('<span class="chip">under way</span>');
    expect(html()).toContain('lines of metrics.jsonl that do not read: 1');
    expect(html()).toContain('crashed kept no config');
    expect(html()).not.toMatch(/<img|NaN|undefined/);
    const reason = 'train step 32: loss must be finite, got NaN';
    writeFileSync(
      path.join(folder, 'metrics.jsonl'),
      [step(31), { kind: 'stopped', step: 31, reason }].map((line) => JSON.stringify(line)).join('\n'),
    );
    await writeReport({ run: folder });
    expect(html()).toContain('<span class="chip stopped">stopped</span>');
    expect(html()).toContain(reason);
  });

  it('of the loop itself waits for a first line, and carries at most twelve grids, the first and the last among them', async () => {
    const folder = at('many');
    const report = runReport(folder);
    await report();
    expect(() => readFileSync(path.join(folder, 'report.html'))).toThrow(/ENOENT/);
    await written('many', [step(1)]);
    for (let i = 1; i <= 30; i++) await addGrid(folder, `step-${String(i).padStart(6, '0')}.png`, 'red');
    await report();
    const html = readFileSync(path.join(folder, 'report.html'), 'utf8');
    const shown = [...html.matchAll(/<b>step (\d+)<\/b>/g)].map(([, label]) => Number(label));
    expect(shown).toHaveLength(12);
    expect([shown[0], shown.at(-1)]).toEqual([1, 30]);
  });
});

describe('two runs', () => {
  it('share every chart, and stand beside each other in scores, configs and last grids', async () => {
    const file = await writeReport({ run, other });
    expect(file).toBe(path.join(run, 'report-beside-other.html'));
    const html = readFileSync(file, 'utf8');
    expect(unbalanced(html)).toEqual([]);
    expect(html).not.toMatch(/<script|NaN|undefined/);
    expect(html).toMatch(/<code>seed<\/code><\/td><td class="field">3<\/td><td class="field">4</);
    expect(html).toMatch(/<code>captionDrop<\/code><\/td><td class="field">nothing<\/td><td class="field">0.1</);
    expect(html).not.toContain('<code>groups.0.betas</code>');
    expect(html.match(/<img /g)).toHaveLength(2);
    const loss = runCharts([await readRun(run), await readRun(other)]).get('loss')![0]!;
    expect(loss.lines.map(({ label, colour }) => [label, colour])).toEqual([
      ['run', 'var(--c0)'],
      ['other', 'var(--c1)'],
    ]);
  });

  it('of one name are told apart by their folders', async () => {
    const twin = await written('elsewhere/run', lines.slice(0, 5), config);
    const html = readFileSync(await writeReport({ run, other: twin, out: at('twins.html') }), 'utf8');
    expect(html).toContain(`</i>${twin}</h1>`);
    expect(html).toContain('Nothing: both ran with the same config.');
  });
});

it('differences of configs name each field by its path, lists of numbers whole', () => {
  const to = { ...config, groups: [{ lr: 0.1, betas: [0.9, 0.99] }, { lr: 1 }] };
  expect(configChanges(config, to)).toEqual([
    { field: 'groups.0.betas', from: [0.9, 0.95], to: [0.9, 0.99] },
    { field: 'groups.1.lr', from: undefined, to: 1 },
  ]);
  expect(configChanges(config, structuredClone(config))).toEqual([]);
});

describe('step-video train report', () => {
  async function cli(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
    const [out, err]: [string[], string[]] = [[], []];
    const code = await commandLine(['train', ...argv], {
      print: (line) => out.push(line),
      note: (line) => err.push(line),
      terminal: undefined,
      signal: new AbortController().signal,
      program: 'step-video',
    });
    return { code, out: out.join('\n'), err: err.join('\n') };
  }

  it('writes the page where it is told, and prints where that is', async () => {
    const file = at('deep', 'page.html');
    expect(await cli('report', run, '--out', file)).toEqual({ code: 0, out: file, err: '' });
    expect(readFileSync(file, 'utf8')).toContain('<h1>run</h1>');
  });

  it.each([
    [['report'], 'train report: must be given the folders of one run or of two'],
    [['report', 'a', 'b', 'c'], 'train report: must be given the folders of one run or of two, got a b c'],
    [
      ['report', '/nowhere'],
      'train report: must be given the folder of a run, which holds metrics.jsonl, got /nowhere',
    ],
    [['report', 'a', '--config', 'b'], 'train report: --config is for vae and dit'],
    [['vae', '--config', 'b', '--out', 'c'], 'train: --out is for report'],
    [['reprot'], 'train: must be followed by vae, dit, features, report or average, got reprot'],
  ])('%j is refused', async (argv, message) => {
    const { code, err } = await cli(...argv);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});
