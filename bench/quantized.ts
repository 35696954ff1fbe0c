/**
 * What quantizing costs: velocity error, latents PSNR, prompt-following scores and bytes of a model in int8 and int4 beside
 * itself. The first table's rows are those of the README.
 *
 *   npm run bench -- quantized [--model DIR] [--rounds 45] [--data DIR] [--steps N] [--tiny]
 *
 * `--rounds` is the number of held-out triples that are scored, English prompts; without built data there are no scores.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { euler } from '../src/diffusion/euler.ts';
import { guided } from '../src/diffusion/guidance.ts';
import { gaussian } from '../src/diffusion/noise.ts';
import { schedule } from '../src/diffusion/schedule.ts';
import { runEvaluation } from '../src/eval/run.ts';
import { latentLength, latentShape } from '../src/latents.ts';
import { modelDirectory } from '../src/model-directory.ts';
import { loadPipeline } from '../src/pipeline.ts';
import { presetOf } from '../src/presets.ts';
import { openComponent } from '../src/weights/checkpoint.ts';
import { QUANTIZED_COMPONENTS, SCHEMES } from '../src/weights/quantization.ts';
import { quantizeCheckpoint } from '../src/weights/quantize-checkpoint.ts';
import { benchFlags } from './parts/flags.ts';
import { type Row, report } from './parts/report.ts';

const PROMPTS = [
  'a red apple bounces on a blue background',
  'a panda moves left on a yellow background',
  'a rocket moves up on a black background',
  '一个红苹果在蓝色背景上弹跳',
];

const flags = benchFlags({ rounds: 45 });
const source = modelDirectory(flags.model);
const preset = presetOf(source);
const steps = flags.tiny ? 2 : (flags.steps ?? preset.steps);
const data = flags.data ?? path.join('cache', 'data');
const folder = await mkdtemp(path.join(tmpdir(), 'step-video-bench-'));

type Point = { readonly latents: Float32Array; readonly t: number; readonly velocity: Float32Array };
/** Latents of all prompts, flat, and the velocities on the way to them: conditional half, then unconditional. */
type Sample = { readonly latents: Float32Array; readonly path: readonly Point[] };

/** Samples all prompts as one batch; where a `reference` is given, also the velocities at its latents. */
async function sample(directory: string, reference?: Sample): Promise<Sample & { readonly velocityError: number }> {
  const pipeline = await loadPipeline(directory, { device: 'cpu', preset, threads: flags.threads });
  try {
    const shape = latentShape(
      { frames: preset.frames, height: preset.height, width: preset.width },
      pipeline.latentChannels,
    );
    const length = latentLength(shape);
    const negatives = PROMPTS.map(() => preset.negativePrompt);
    const text = await pipeline.encodeText([...PROMPTS.map((prompt) => prompt + preset.promptSuffix), ...negatives]);
    const batch = 2 * PROMPTS.length;
    const walked: Point[] = [];
    const velocity = guided(async (latents, _, t) => {
      const v = await pipeline.velocity({ latents, batch, shape, t, text });
      walked.push({ latents: latents.slice(), t, velocity: v.slice() });
      return v;
    }, preset.guidanceScale);
    let latents = new Float32Array(PROMPTS.length * length);
    PROMPTS.forEach((_, seed) => {
      latents.set(gaussian({ seed, length }), seed * length);
    });
    for await (const step of euler({ velocity, latents, times: schedule({ steps, timeShift: preset.timeShift }) }))
      latents = Float32Array.from(step.latents);
    const differences = [];
    for (const point of reference?.path ?? []) {
      const v = await pipeline.velocity({ latents: point.latents, batch, shape, t: point.t, text });
      differences.push(rootMeanSquare(v, point.velocity) / rootMeanSquare(point.velocity));
    }
    return { latents, path: walked, velocityError: differences.reduce((a, b) => a + b, 0) / differences.length };
  } finally {
    await pipeline.close();
  }
}

/** Of a - b, or of a alone. */
function rootMeanSquare(a: Float32Array, b?: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - (b?.[i] ?? 0)) ** 2;
  return Math.sqrt(sum / a.length);
}

/** In dB; the peak is the span of the reference's values. */
function psnr(latents: Float32Array, reference: Float32Array): number {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const v of reference) [low, high] = [Math.min(low, v), Math.max(high, v)];
  return 20 * Math.log10((high - low) / rootMeanSquare(latents, reference));
}

/** Megabytes of the files of the components that can be quantized. */
async function megabytes(directory: string): Promise<number> {
  const opened = await Promise.all(QUANTIZED_COMPONENTS.map((component) => openComponent(directory, component)));
  const sizes = await Promise.all(opened.flatMap(({ files }) => files.map(async (file) => (await stat(file)).size)));
  return sizes.reduce((a, b) => a + b, 0) / 1e6;
}

async function scores(directory: string, name: string): Promise<Row> {
  if (flags.tiny || !existsSync(data)) return {};
  const options = { triples: flags.rounds, languages: ['en'], sets: ['main'], only: 'generated', steps } as const;
  const { report } = await runEvaluation({
    ...options,
    model: directory,
    data,
    out: path.join(folder, `eval-${name}`),
    threads: flags.threads,
  });
  const { subject, background, motion, all } = report.generated[0]!.scores;
  return { subject, background, motion, 'all three': all };
}

try {
  const directories: Record<string, string> = { 'as stored': source };
  for (const to of SCHEMES) {
    const { out } = await quantizeCheckpoint(source, { to, out: path.join(folder, to) });
    directories[to] = out;
  }
  let reference: Sample | undefined;
  const rows: Row[] = [];
  for (const [name, directory] of Object.entries(directories)) {
    const sampled = await sample(directory, reference);
    const row: Row = {
      weights: name,
      'MB without VAE': await megabytes(directory),
      'velocity error': reference && sampled.velocityError,
      'latents PSNR': reference && psnr(sampled.latents, reference.latents),
      ...(await scores(directory, name)),
    };
    console.error(JSON.stringify(row));
    rows.push(row);
    reference ??= sampled;
  }
  if (!existsSync(data)) console.log(`no scores: ${data} is not there; step-video data build makes it`);
  report('quantized', rows, { model: flags.model ?? 'mini', triples: flags.rounds, steps, tiny: flags.tiny });
} finally {
  await rm(folder, { recursive: true });
}
