/**
 * What a model card says about training: a table of runs on standard output, and docs/mini-curves.svg, the validation of each
 * over minutes. VAE runs (score in dB) make the upper chart, denoiser runs (loss) the lower one; runs follow one another.
 *
 *   node --import tsx scripts/training-card.ts checkpoints/vae-1-stills checkpoints/vae-2-video …
 */
import { writeFile } from 'node:fs/promises';
import { axis } from '../src/train/report/axis.ts';
import type { Point } from '../src/train/report/curves.ts';
import { escapeHtml } from '../src/train/report/escape.ts';
import { type Numbers, readRun } from '../src/train/report/run-folder.ts';

const FILE = 'docs/mini-curves.svg';
const [WIDTH, HEIGHT, LEFT, GAP] = [640, 200, 48, 44];
const COLOURS = ['#3b6fd4', '#c2541d', '#2f8f5b', '#8d4fc4', '#a8871b', '#4a9aa8', '#c0487f'];

type Stage = { readonly name: string; readonly minutes: number; readonly points: readonly Point[] };

const rounded = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? '';

async function stageOf(folder: string): Promise<Stage & { isVae: boolean }> {
  const { name, config, steps, validations } = await readRun(folder);
  const isVae = config?.['stage'] === 'vae';
  const key = isVae ? 'score' : 'loss';
  const minutes = ({ seconds = 0 }: Numbers): number => seconds / 60;
  const last = validations.at(-1) ?? { step: 0 };
  const total = Math.max(minutes(steps.at(-1) ?? last), minutes(last));
  const result = isVae
    ? `${rounded(last['score'], 2)} dB, SSIM ${rounded(last['ssim'], 3)}, unseen ${rounded(last['unseen'], 2)} dB`
    : `loss ${rounded(last['loss'], 4)}`;
  const trained = Math.max(last.step, steps.at(-1)?.step ?? 0);
  console.log(`| \`${name}\` | ${trained} | ${Math.round(total)} | ${result} |`);
  const points = validations.flatMap((v): Point[] => (v[key] === undefined ? [] : [[minutes(v), v[key]]]));
  return { name, minutes: total, points, isVae };
}

function chart(stages: readonly Stage[], { title, top }: { title: string; top: number }): string {
  const values = stages.flatMap(({ points }) => points.map(([, value]) => value));
  const length = stages.reduce((sum, { minutes }) => sum + minutes, 0);
  const y = axis([Math.min(...values), Math.max(...values)], { pad: 0.08 });
  const x = axis([0, length], { count: 8 });
  const [across, down] = [
    (minute: number) => LEFT + x.place(minute) * (WIDTH - LEFT - 12),
    (value: number) => top + (1 - y.place(value)) * HEIGHT,
  ];
  const grid = y.ticks.map(
    ({ value, label }) =>
      `<path d="M${LEFT} ${down(value)}H${WIDTH - 12}" stroke="#ccc"/><text x="${LEFT - 6}" y="${down(value) + 4}" text-anchor="end">${label}</text>`,
  );
  const minutes = x.ticks.map(
    ({ value, label }) => `<text x="${across(value)}" y="${top + HEIGHT + 16}" text-anchor="middle">${label}</text>`,
  );
  let begin = 0;
  const curves = stages.map(({ name, minutes: its, points }, i) => {
    const placed = points.map(([minute, value]) => `${across(begin + minute).toFixed(1)} ${down(value).toFixed(1)}`);
    const colour = COLOURS[i % COLOURS.length];
    const label = `<text x="${across(begin) + 4}" y="${top + 14 + (i % 3) * 13}" fill="${colour}">${escapeHtml(name)}</text>`;
    begin += its;
    const dots = placed.map((place) => `M${place}h0`).join('');
    return `<path d="M${placed.join('L')}" fill="none" stroke="${colour}" stroke-width="2"/><path d="${dots}" stroke="${colour}" stroke-width="6" stroke-linecap="round"/>${label}`;
  });
  return `<text x="${LEFT}" y="${top - 8}" font-weight="bold">${title}</text>${[...grid, ...minutes, ...curves].join('')}`;
}

console.log('| stage | steps | minutes | last validation |\n|---|---|---|---|');
const stages: Awaited<ReturnType<typeof stageOf>>[] = [];
for (const folder of process.argv.slice(2)) stages.push(await stageOf(folder));
const [vae, dit] = [stages.filter(({ isVae }) => isVae), stages.filter(({ isVae }) => !isVae)];
const charts = [
  vae.length > 0 && chart(vae, { title: 'Video-VAE: PSNR of held-out clips in dB, over minutes', top: 30 }),
  dit.length > 0 && chart(dit, { title: 'Denoiser: loss on held-out clips, over minutes', top: 30 + HEIGHT + GAP }),
].filter((each) => each !== false);
const height = 2 * HEIGHT + GAP + 54;
await writeFile(
  FILE,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11"><rect width="${WIDTH}" height="${height}" fill="#fff"/>${charts.join('')}</svg>\n`,
);
console.log(`\n${FILE}`);
