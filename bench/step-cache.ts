/**
 * What skipping steps saves and costs: for each threshold of the step cache, and for plainly fewer steps beside it, the share
 * of steps skipped, denoising time, latents and prompt following of held-out clips against the same clips in full.
 *
 *   npm run bench -- step-cache [--triples 45] [--model DIR] [--data cache/data] [--steps N] [--thresholds 0.02,0.05,0.1,0.2] [--threads N]
 */
import { parseArgs } from 'node:util';
import { loadWorld } from '../src/data/world.ts';
import { euler } from '../src/diffusion/euler.ts';
import { guided } from '../src/diffusion/guidance.ts';
import { gaussian } from '../src/diffusion/noise.ts';
import { schedule } from '../src/diffusion/schedule.ts';
import { StepCache } from '../src/dit/step-cache.ts';
import { CLIP_SIZE, pixelsOf } from '../src/eval/clip-pixels.ts';
import { knowledgeOf } from '../src/eval/knowledge.ts';
import { type ScoredClip, scored, scoresOf } from '../src/eval/scores.ts';
import { testCases } from '../src/eval/test-set.ts';
import { latentLength, latentShape } from '../src/latents.ts';
import { modelDirectory } from '../src/model-directory.ts';
import { loadPipeline } from '../src/pipeline.ts';
import { presetOf } from '../src/presets.ts';
import { readTrainingRecord } from '../src/training-record.ts';
import { report } from './parts/report.ts';

const text = { type: 'string' } as const;
const { values: flags } = parseArgs({
  args: process.argv.slice(2),
  options: { triples: text, model: text, data: text, steps: text, thresholds: text, threads: text },
});
const threads = flags.threads === undefined ? undefined : Number(flags.threads);
const directory = modelDirectory(flags.model);
const preset = presetOf(directory);
const steps = Number(flags.steps ?? preset.steps);
const thresholds = (flags.thresholds ?? '0.02,0.05,0.1,0.15,0.2,0.3').split(',').map(Number);
const known = knowledgeOf(await loadWorld(flags.data ?? 'cache/data'), readTrainingRecord(directory));
const { frames } = preset;
const cases = testCases(known, 'main', { count: Number(flags.triples ?? 45), seed: 0, frames });
const pipeline = await loadPipeline(directory, { device: 'cpu', preset, threads });
const shape = latentShape({ frames, ...CLIP_SIZE }, pipeline.latentChannels);

/** One way to denoise; the first is what the others are held against. */
type Way = { readonly name: string; readonly steps: number; readonly threshold?: number };
const ways: readonly Way[] = [
  { name: 'no cache', steps },
  ...thresholds.map((threshold) => ({ name: `cache ${threshold}`, steps, threshold })),
  ...[0.75, 0.5, 0.33].map((share) => ({
    name: `${Math.round(share * steps)} steps`,
    steps: Math.round(share * steps),
  })),
];

type Clip = { readonly latents: Float32Array; readonly seconds: number; readonly skipped: number };

async function denoise(way: Way, states: unknown, seed: number): Promise<Clip> {
  const cache = way.threshold === undefined ? undefined : new StepCache(way.threshold);
  const model = (latents: Float32Array, batch: number, t: number) =>
    pipeline.velocity({ latents, batch, shape, t, text: states as never, cache });
  let latents = gaussian({ seed, length: latentLength(shape) });
  const times = schedule({ steps: way.steps, timeShift: preset.timeShift });
  const start = performance.now();
  for await (const step of euler({ velocity: guided(model, preset.guidanceScale), latents, times }))
    latents = step.latents;
  return { latents, seconds: (performance.now() - start) / 1e3, skipped: (cache?.steps.skipped ?? 0) / way.steps };
}

/** Against the span of the reference's values. */
function psnr(latents: Float32Array, reference: Float32Array): number {
  const [low, high] = [Math.min(...reference), Math.max(...reference)];
  const squares = latents.reduce((sum, value, i) => sum + (value - reference[i]!) ** 2, 0);
  return 10 * Math.log10(((high - low) ** 2 * latents.length) / squares);
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

const results = ways.map(() => ({ clips: [] as Clip[], scores: [] as ScoredClip[], decibels: [] as number[] }));
for (const { scene, prompts, seed } of cases) {
  const conditional = prompts.en + preset.promptSuffix;
  const states = await pipeline.encodeText([conditional, preset.negativePrompt]);
  // Compiled before anything is timed.
  if (results[0]!.clips.length === 0) for (const way of ways) await denoise({ ...way, steps: 3 }, states, seed);
  for (const [i, way] of ways.entries()) {
    const { clips, scores, decibels } = results[i]!;
    const clip = await denoise(way, states, seed);
    clips.push(clip);
    decibels.push(psnr(clip.latents, results[0]!.clips.at(-1)!.latents));
    scores.push(scored(known, scene, await pixelsOf(pipeline.decode(clip.latents, shape))));
  }
}
await pipeline.close();
const rows = ways.map(({ name }, i) => {
  const { clips, scores, decibels } = results[i]!;
  const { subject, background, motion, all } = scoresOf(scores);
  const seconds = clips.map((clip) => clip.seconds);
  return {
    name,
    skipped: mean(clips.map(({ skipped }) => skipped)),
    'time ratio': mean(seconds) / mean(results[0]!.clips.map((clip) => clip.seconds)),
    'latents dB': i === 0 ? undefined : mean(decibels),
    subject,
    background,
    motion,
    all,
  };
});
report('step-cache', rows, { clips: cases.length, steps, threads: threads ?? 'all', model: flags.model ?? 'mini' });
