/**
 * The evaluation: a model's clips of triples that it was never trained on, beside real clips (ceiling), what the VAE leaves
 * of them, and wrong prompts (floor). Opens what is needed and writes the report; its parts do the measuring.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { renderScene } from '../data/scene.ts';
import { loadWorld, readWorldFile } from '../data/world.ts';
import { modelDirectory } from '../model-directory.ts';
import { loadPipeline } from '../pipeline.ts';
import { presetOf } from '../presets.ts';
import { loadVae } from '../vae/load.ts';
import { assertWritable } from '../video/writable.ts';
import { type Context, type EvaluationProgress, pause } from './context.ts';
import { evaluateGeneration } from './evaluate-generation.ts';
import { evaluateReconstruction } from './evaluate-reconstruction.ts';
import { modelHash } from './model-hash.ts';
import { type EvaluationReport, formatReport } from './report.ts';
import { type Scores, scored, scoresOf } from './scores.ts';
import { commandLine, type EvaluationChoices, settle } from './settings.ts';
import { SCORED_FRAMES, testCases } from './test-set.ts';

export type EvaluationOptions = EvaluationChoices & {
  /** Where the report and the contact sheets go, `out/eval` unless told. */
  out?: string | undefined;
  /** Threads of one network; all cores unless told. */
  threads?: number | undefined;
  /** Stops within one step or clip. */
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: EvaluationProgress) => void) | undefined;
  /** How the program is started, for the commands in the report. */
  program?: string | undefined;
};

/** The report, the same as text, and the files that were written. */
export type Evaluation = {
  readonly report: EvaluationReport;
  readonly text: string;
  readonly files: readonly string[];
};

/**
 * Runs the evaluation and writes `report.json`, `report.txt` and contact sheets (PNG) to `out`. The same options on the
 * same machine give the same scores.
 * @throws before any network runs: input error for bad options or an output that cannot be written, data error for data
 * that is missing or damaged, checkpoint error for a model that is not whole. Later: aborted or numeric error.
 */
export async function runEvaluation(options: EvaluationOptions): Promise<Evaluation> {
  const started = performance.now();
  const { out = path.join('out', 'eval'), threads, signal, onProgress, program = 'step-video' } = options;
  const directory = modelDirectory(options.model);
  const preset = presetOf(directory);
  const settings = settle(options, preset);
  const { device, data, parts } = settings;
  await assertWritable(path.join(out, 'report.json'), 'mp4'); // "mp4": one file
  const world = await loadWorld(data);
  const cases = testCases(world, settings.triples, settings.seed);
  const runtime = { device, threads };
  const pipeline = parts.includes('generated') ? await loadPipeline(directory, { ...runtime, preset }) : undefined;
  const vae = parts.includes('reconstruction') ? await loadVae(directory, runtime) : undefined;
  try {
    await mkdir(out, { recursive: true });
    const context: Context = { world, cases, settings, out, signal, onProgress };
    const ceiling = await scoreReal(context);
    const { generated, files: sheets = [] } = pipeline ? await evaluateGeneration(pipeline, context) : {};
    const { vaeCeiling, reconstruction, files: others = [] } = vae ? await evaluateReconstruction(vae, context) : {};
    const report: EvaluationReport = {
      format: 1,
      command: commandLine(settings, program),
      commands: Object.fromEntries(parts.map((part) => [part, commandLine(settings, program, part)])),
      model: { directory: options.model, sha256: await modelHash(directory) },
      data: (await readWorldFile(data)).fingerprint,
      settings,
      ceiling,
      generated: generated?.scores,
      floor: generated?.floor,
      vaeCeiling,
      reconstruction,
      speed: {
        seconds: (performance.now() - started) / 1000,
        peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
        secondsPerClip: generated?.secondsPerClip,
      },
      clips: generated?.clips ?? [],
    };
    const text = formatReport(report);
    const json = path.join(out, 'report.json');
    const plain = path.join(out, 'report.txt');
    await writeFile(json, `${JSON.stringify(report, null, 2)}\n`);
    await writeFile(plain, `${text}\n`);
    return { report, text, files: [json, plain, ...sheets, ...others] };
  } finally {
    await pipeline?.close();
    await vae?.close();
  }
}

/** The real clips of the same triples: what a perfect model would be given. */
async function scoreReal(context: Context): Promise<Scores> {
  const { world, cases } = context;
  const results = [];
  for (const { triple, scene } of cases) {
    await pause(context, { stage: 'real clips', done: results.length, total: cases.length });
    results.push(scored(world, triple, renderScene(world, scene, { frames: SCORED_FRAMES })));
  }
  await pause(context, { stage: 'real clips', done: cases.length, total: cases.length });
  return scoresOf(results);
}
