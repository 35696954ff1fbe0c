/**
 * The generated half of an evaluation: every case's prompt through the model, in each language, scored, and held against
 * the other prompts. Knows nothing of how clips are denoised.
 */
import path from 'node:path';
import type { Language } from '../data/captions.ts';
import type { Pipeline } from '../pipeline.ts';
import { type Context, pause, SHOWN_CLIPS } from './context.ts';
import { generateClips, type StageSeconds } from './generated-clips.ts';
import type { ClipRecord, GeneratedReport } from './report.ts';
import { floorOf, type ScoredClip, scored, scoresOf } from './scores.ts';
import { type SheetRow, writeSheet } from './sheet.ts';

/** Generates and scores all cases; writes `generated-en.png` and so on. @returns also the files written. */
export async function evaluateGeneration<Text>(
  pipeline: Pipeline<Text>,
  context: Context,
): Promise<{ generated: GeneratedReport; files: string[] }> {
  const scores: GeneratedReport['scores'] = {};
  const floor: GeneratedReport['floor'] = {};
  const clips: ClipRecord[] = [];
  const seconds: StageSeconds[] = [];
  const files: string[] = [];
  for (const language of context.settings.languages) {
    const run = await inLanguage(pipeline, language, context);
    scores[language] = scoresOf(run.results);
    floor[language] = floorOf(run.results);
    clips.push(...run.results.map(({ triple, score }, i) => record(context, language, i, { triple, score })));
    seconds.push(...run.seconds);
    const file = path.join(context.out, `generated-${language}.png`);
    await writeSheet(file, run.rows);
    files.push(file);
  }
  return { generated: { scores, floor, clips, secondsPerClip: meanSeconds(seconds) }, files };
}

async function inLanguage<Text>(pipeline: Pipeline<Text>, language: Language, context: Context) {
  const { cases, settings, world, signal } = context;
  const requests = cases.map(({ prompts, seed }) => ({ prompt: prompts[language], seed }));
  const stage = `generated, ${language}`;
  const results: ScoredClip[] = [];
  const rows: SheetRow[] = [];
  const seconds: StageSeconds[] = [];
  await pause(context, { stage, done: 0, total: cases.length });
  for await (const clip of generateClips(pipeline, requests, { sampling: settings, signal })) {
    const { triple, prompts } = cases[results.length]!;
    const result = scored(world, triple, clip.pixels);
    results.push(result);
    seconds.push(clip.seconds);
    const { subject, background, motion } = result.score.predicted;
    const verdict = `${subject} ${background} ${motion}`;
    if (rows.length < SHOWN_CLIPS) rows.push({ pixels: clip.pixels, caption: prompts[language], verdict });
    await pause(context, { stage, done: results.length, total: cases.length });
  }
  return { results, rows, seconds };
}

function record({ cases }: Context, language: Language, i: number, { triple, score }: ScoredClip): ClipRecord {
  const { prompts, seed } = cases[i]!;
  const { predicted, likeness } = score;
  return { language, triple, prompt: prompts[language], seed, predicted, likeness: Number(likeness.toFixed(4)) };
}

function meanSeconds(all: readonly StageSeconds[]): GeneratedReport['secondsPerClip'] {
  const mean = (stage: keyof StageSeconds) => all.reduce((sum, clip) => sum + clip[stage], 0) / all.length;
  const [text, denoise, decode] = [mean('text'), mean('denoise'), mean('decode')];
  return { text, denoise, decode, total: text + denoise + decode };
}
