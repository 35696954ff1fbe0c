/**
 * Two dozen plain sentences about emoji world, and their clips: the first seed of each, whatever it looks like, for people to
 * name what they see. Scores nothing.
 */
import path from 'node:path';
import type { Pipeline } from '../pipeline.ts';
import { type Context, pause } from './context.ts';
import type { Grid } from './evaluate-generation.ts';
import { generateClips } from './generated-clips.ts';
import { type SheetRow, writeSheet } from './sheet.ts';
import { type ShownClip, writeClip } from './shown-clip.ts';

/** In the order of the grid. None was chosen for how it comes out. */
export const PLAIN_PROMPTS = [
  'a panda bounces on a green background',
  'a red apple spins on a white background',
  'a cat moves left on a blue background',
  'a rocket moves up on a black background',
  'a fish moves right on a cyan background',
  'a yellow star grows on a purple background',
  'a dog stands still on an orange background',
  'a frog jumps on a pink background',
  'a penguin moves right on a gray background',
  'a red heart shrinks on a white background',
  'a car goes left on a yellow background',
  'a mushroom stands still on a brown background',
  'a pig bounces on a lime background',
  'a balloon rises on a blue background',
  'a pineapple spins on a pink background',
  'an owl stands still on a navy background',
  'a butterfly moves in a circle on a white background',
  'a bus moves right on a red background',
  'a lion shakes on a green background',
  'a duck moves left on the sea',
  'a cactus stands still in the desert',
  'a teddy bear falls on a purple background',
  '一只熊猫在黄色背景上向左移动',
  '一架飞机在蓝色背景上向右移动',
] as const;

/** Generates every prompt with the evaluation's first seed. Writes the clips to `plain-prompts/` and a sheet of numbers without prompts. */
export async function evaluatePlainPrompts<Text>(
  pipeline: Pipeline<Text>,
  context: Context,
): Promise<{ grid: Grid; files: readonly string[] }> {
  const { settings, signal, out } = context;
  const total = PLAIN_PROMPTS.length;
  const stage = 'plain prompts';
  const rows: SheetRow[] = [];
  const clips: ShownClip[] = [];
  const requests = PLAIN_PROMPTS.map((prompt) => ({ prompt, seed: settings.seed }));
  await pause(context, { stage, done: 0, total });
  for await (const { pixels } of generateClips(pipeline, requests, { sampling: settings, signal })) {
    const prompt = PLAIN_PROMPTS[clips.length]!;
    const number = String(clips.length + 1).padStart(2, '0');
    const file = path.join(out, 'plain-prompts', `${number}.webp`);
    await writeClip(file, pixels, { fps: settings.fps });
    rows.push({ pixels, caption: number, verdict: '' });
    clips.push({ file, caption: prompt, verdict: '' });
    await pause(context, { stage, done: clips.length, total });
  }
  const sheet = path.join(out, 'plain-prompts.png');
  await writeSheet(sheet, rows);
  return { grid: { title: 'plain prompts', clips }, files: [sheet] };
}
