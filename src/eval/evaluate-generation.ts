/**
 * The generated half of an evaluation: every case's prompt through the model, set by set and in each language, scored, and
 * held against the other prompts. Knows nothing of how clips are denoised.
 */
import path from 'node:path';
import type { Language } from '../data/captions.ts';
import type { Pipeline } from '../pipeline.ts';
import { type Context, pause, SHOWN_CLIPS } from './context.ts';
import { clipFeatures } from './feature-network.ts';
import { frechetDistance, type Gaussian } from './frechet.ts';
import { generateClips, type StageSeconds } from './generated-clips.ts';
import type { ClipRecord, SecondsPerClip, SetReport } from './report.ts';
import { floorOf, type ScoredClip, scored, scoresOf } from './scores.ts';
import { type SheetRow, writeSheet } from './sheet.ts';
import { type ShownClip, writeClip } from './shown-clip.ts';
import { SETS, type SetName, type TestCase } from './test-set.ts';

/** Clips of one set in one language, to be shown. */
export type Grid = { readonly title: string; readonly clips: readonly ShownClip[] };

export type Generation = {
  readonly sets: readonly SetReport[];
  readonly secondsPerClip: SecondsPerClip | undefined;
  readonly grids: readonly Grid[];
  readonly files: readonly string[];
};

/**
 * Generates and scores the cases of every set; the small sets in the first language alone. Writes `generated-main-en.png` and
 * so on, and the first clips as files below `clips/`. `real` are the features of the main set's real clips.
 */
export async function evaluateGeneration<Text>(
  pipeline: Pipeline<Text>,
  context: Context,
  real?: Gaussian | undefined,
): Promise<Generation> {
  const sets: SetReport[] = [];
  const grids: Grid[] = [];
  const files: string[] = [];
  const seconds: StageSeconds[] = [];
  const { languages, sets: chosen } = context.settings;
  for (const set of SETS.filter((each) => chosen.includes(each))) {
    const cases = context.cases[set];
    const isSmall = set === 'sceneries' || set === 'pairs';
    for (const language of cases.length === 0 ? [] : isSmall ? languages.slice(0, 1) : languages) {
      const run = await runSet(pipeline, { context, cases, set, language });
      const frechet = set === 'main' && real && run.features ? frechetDistance(real, run.features) : undefined;
      const clips = run.results.map((result, i) => record(cases[i]!, language, result));
      sets.push({ set, language, scores: scoresOf(run.results), floor: floorOf(run.results), frechet, clips });
      seconds.push(...run.seconds);
      const file = path.join(context.out, `generated-${set}-${language}.png`);
      await writeSheet(file, run.rows);
      files.push(file);
      grids.push({ title: `${set}, ${language}`, clips: run.shown });
    }
  }
  return { sets, grids, files, secondsPerClip: seconds.length === 0 ? undefined : meanSeconds(seconds) };
}

type Run = { context: Context; cases: readonly TestCase[]; set: SetName; language: Language };

async function runSet<Text>(pipeline: Pipeline<Text>, { context, cases, set, language }: Run) {
  const { known, settings, signal, out } = context;
  const requests = cases.map(({ prompts, seed }) => ({ prompt: prompts[language], seed }));
  const stage = `${set}, ${language}`;
  const results: ScoredClip[] = [];
  const rows: SheetRow[] = [];
  const shown: ShownClip[] = [];
  const seconds: StageSeconds[] = [];
  const features = clipFeatures(set === 'main' ? context.features : undefined);
  await pause(context, { stage, done: 0, total: cases.length });
  for await (const { pixels, seconds: its } of generateClips(pipeline, requests, { sampling: settings, signal })) {
    const { scene, prompts } = cases[results.length]!;
    const result = scored(known, scene, pixels);
    await features.add(pixels);
    if (results.length < SHOWN_CLIPS) {
      const caption = prompts[language];
      const verdict = seenIn(result);
      const name = `${set}-${language}-${String(results.length).padStart(2, '0')}.webp`;
      const file = path.join(out, 'clips', name);
      await writeClip(file, pixels, { fps: settings.fps, prompt: caption });
      rows.push({ pixels, caption, verdict });
      shown.push({ file, caption, verdict, met: Object.values(result.verdict).every(Boolean) });
    }
    results.push(result);
    seconds.push(its);
    await pause(context, { stage, done: results.length, total: cases.length });
  }
  return { results, rows, shown, seconds, features: features.gaussian() };
}

/** What the scorer saw, in few words. */
function seenIn({ reading }: ScoredClip): string {
  const { subject, pair, background, motion, camera } = reading;
  const who = pair ? pair.subjects.join(pair.axis === 'x' ? ' | ' : ' / ') : subject;
  return [who, background, motion, ...(camera === 'static' ? [] : [camera])].join(' ');
}

function record({ scene, prompts, seed }: TestCase, language: Language, { reading, verdict }: ScoredClip): ClipRecord {
  const { subject, background, motion, camera, second } = scene;
  const asked = { subject, background, motion, camera, ...(second && { second: second.subject, place: second.place }) };
  return { asked, prompt: prompts[language], seed, reading, verdict };
}

function meanSeconds(all: readonly StageSeconds[]): SecondsPerClip {
  const mean = (stage: keyof StageSeconds) => all.reduce((sum, clip) => sum + clip[stage], 0) / all.length;
  const [text, denoise, decode] = [mean('text'), mean('denoise'), mean('decode')];
  return { text, denoise, decode, total: text + denoise + decode };
}
