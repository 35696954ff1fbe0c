/**
 * The evaluation: a model's clips of what it was never trained on, beside real clips (ceiling), what the VAE leaves of them,
 * and wrong prompts (floor). Opens what is needed and writes the report; its parts do the measuring.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import path from 'node:path';
import { renderScene } from '../data/scene.ts';
import { loadWorld, readWorldFile } from '../data/world.ts';
import { modelDirectory } from '../model-directory.ts';
import { loadPipeline } from '../pipeline.ts';
import { presetOf } from '../presets.ts';
import { readTrainingRecord } from '../training-record.ts';
import { loadVae } from '../vae/load.ts';
import { assertWritable } from '../video/writable.ts';
import { judgeBars, type OwnBars } from './bars.ts';
import { type Context, type EvaluationProgress, pause } from './context.ts';
import { evaluateGeneration } from './evaluate-generation.ts';
import { evaluateReconstruction } from './evaluate-reconstruction.ts';
import { clipFeatures, type FeatureNetwork } from './feature-network.ts';
import type { Gaussian } from './frechet.ts';
import { writeHtmlReport } from './html-report.ts';
import { knowledgeOf } from './knowledge.ts';
import { modelHash } from './model-hash.ts';
import { evaluatePlainPrompts } from './plain-prompts.ts';
import type { EvaluationReport } from './report.ts';
import { floorOf, type ScoreSummary, type Scores, scored, scoresOf } from './scores.ts';
import { commandLine, type EvaluationChoices, settle } from './settings.ts';
import { timeVideo } from './speed.ts';
import { SETS, type SetName, type TestCase, testCases } from './test-set.ts';
import { formatReport } from './text-report.ts';

export type EvaluationOptions = EvaluationChoices & {
  /** Where the report and the pictures go, `out/eval` unless told. */
  out?: string | undefined;
  /** Threads of one network; all cores unless told. */
  threads?: number | undefined;
  /** Bars in place of the usual ones. */
  bars?: OwnBars | undefined;
  /** For the Fréchet distance, which is left out without it. */
  features?: FeatureNetwork | undefined;
  /** Stops within one step or clip. */
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: EvaluationProgress) => void) | undefined;
  /** How the program is started, for the commands in the report. */
  program?: string | undefined;
};

/** The report, the same as text, and the files that were written but for single clips. */
export type Evaluation = {
  readonly report: EvaluationReport;
  readonly text: string;
  readonly files: readonly string[];
};

/** Cases of the sets that are smaller than the main one. */
const SMALL_SETS = 25;

/**
 * Runs the evaluation and writes `report.json`, `report.html`, `report.txt`, contact sheets (PNG) and clips (WebP) to `out`.
 * The same options on the same machine give the same scores.
 * @throws before any network runs: input error for bad options or an output that cannot be written, data error for data
 * that is missing or damaged, checkpoint error for a model that is not whole. Later: aborted or numeric error.
 */
export async function runEvaluation(options: EvaluationOptions): Promise<Evaluation> {
  const started = performance.now();
  const { out = path.join('out', 'eval'), threads, signal, onProgress, features, program = 'step-video' } = options;
  const directory = modelDirectory(options.model);
  const preset = presetOf(directory);
  const record = readTrainingRecord(directory);
  const settings = settle(options, preset, record);
  const { device, data, parts, steps, frames } = settings;
  await assertWritable(path.join(out, 'report.json'), 'mp4'); // "mp4": one file
  const known = knowledgeOf(await loadWorld(data), record);
  const cases = casesOf(known, settings);
  const generates = parts.includes('generated');
  const runtime = { device, threads };
  const pipeline =
    generates || parts.includes('plain-prompts') ? await loadPipeline(directory, { ...runtime, preset }) : undefined;
  const vae = parts.includes('reconstruction') ? await loadVae(directory, runtime) : undefined;
  try {
    await mkdir(out, { recursive: true });
    const context: Context = { known, cases, settings, out, features, signal, onProgress };
    // First, so that its peak of memory is its own.
    const timed = { model: directory, prompt: cases.main[0]!.prompts.en, frames, steps, device };
    const video = parts.includes('speed') ? await timeVideo(timed, { out, signal }) : undefined;
    const real = await scoreReal(context);
    const generation = pipeline && generates ? await evaluateGeneration(pipeline, context, real.features) : undefined;
    const plain =
      pipeline && parts.includes('plain-prompts') ? await evaluatePlainPrompts(pipeline, context) : undefined;
    const autoencoder = vae && (await evaluateReconstruction(vae, context));
    const measured: Omit<EvaluationReport, 'bars'> = {
      format: 2,
      command: commandLine(settings, program),
      commands: Object.fromEntries(parts.map((part) => [part, commandLine(settings, program, part)])),
      date: new Date().toISOString(),
      machine: machine(),
      model: { directory: options.model, ...(await modelHash(directory)), trained: record },
      data: (await readWorldFile(data)).fingerprint,
      settings,
      ceiling: real.ceiling,
      ceilingFloor: real.floor,
      generated: generation?.sets ?? [],
      vaeCeiling: autoencoder?.vaeCeiling,
      reconstruction: autoencoder?.reconstruction,
      features: features?.name,
      speed: {
        seconds: (performance.now() - started) / 1000,
        peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
        secondsPerClip: generation?.secondsPerClip,
        video,
      },
      plainPrompts: plain?.grid.clips.map(({ caption, file }) => ({ prompt: caption, file: path.relative(out, file) })),
    };
    const report: EvaluationReport = { ...measured, bars: judgeBars(measured, options.bars) };
    const text = formatReport(report);
    const [json, html, plainText] = ['json', 'html', 'txt'].map((kind) => path.join(out, `report.${kind}`));
    await writeFile(json!, `${JSON.stringify(report, null, 2)}\n`);
    await writeHtmlReport(html!, report, [...(plain ? [plain.grid] : []), ...(generation?.grids ?? [])]);
    await writeFile(plainText!, `${text}\n`);
    const pictures = [generation, autoencoder, plain].flatMap((part) => part?.files ?? []);
    return { report, text, files: [json!, html!, plainText!, ...pictures] };
  } finally {
    await pipeline?.close();
    await vae?.close();
  }
}

/** The main cases always, as everything else is held against them; the others where clips are made of them. */
function casesOf(
  known: Context['known'],
  { triples, sets, seed, frames, parts }: Context['settings'],
): Record<SetName, TestCase[]> {
  const of = (set: SetName): TestCase[] => {
    if (set !== 'main' && !(sets.includes(set) && parts.includes('generated'))) return [];
    const isSmall = set === 'sceneries' || set === 'pairs';
    return testCases(known, set, { count: isSmall ? Math.min(triples, SMALL_SETS) : triples, seed, frames });
  };
  return { main: of('main'), paraphrased: of('paraphrased'), sceneries: of('sceneries'), pairs: of('pairs') };
}

type Real = {
  ceiling: Partial<Record<SetName, Scores>>;
  floor: Partial<Record<SetName, ScoreSummary>>;
  features: Gaussian | undefined;
};

/** The real clips of every set's scenes: what a perfect model would be given. Paraphrased prompts ask for the main scenes. */
async function scoreReal(context: Context): Promise<Real> {
  const { known, cases, settings } = context;
  const real: Real = { ceiling: {}, floor: {}, features: undefined };
  for (const set of SETS) {
    const own = set === 'paraphrased' ? [] : cases[set];
    if (own.length === 0) continue;
    const stage = `real clips, ${set}`;
    const features = clipFeatures(set === 'main' ? context.features : undefined);
    const results = [];
    for (const { scene } of own) {
      await pause(context, { stage, done: results.length, total: own.length });
      const pixels = renderScene(known.world, scene, { frames: settings.frames });
      await features.add(pixels);
      results.push(scored(known, scene, pixels));
    }
    await pause(context, { stage, done: own.length, total: own.length });
    real.ceiling[set] = scoresOf(results);
    real.floor[set] = floorOf(results);
    real.features ??= features.gaussian();
  }
  return real;
}

function machine(): EvaluationReport['machine'] {
  const processors = cpus();
  return {
    processor: processors[0]?.model.trim() ?? process.arch,
    cores: processors.length,
    memoryBytes: totalmem(),
    node: process.versions.node,
  };
}
