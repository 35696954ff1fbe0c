/**
 * Clips of twenty-four plain prompts, the first seeds, none chosen: an animated grid for the model card, and a strip of frames each,
 * without its prompt, for eyes that have not seen it.
 *
 *   node --import tsx scripts/plain-prompts.ts [--model DIR] [--grid docs/mini-grid.webp] [--strips DIR]
 */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { contactSheet } from '../src/video/contact-sheet.ts';
import { clipOf, writeGrid } from './clip-grid.ts';

const PROMPTS = [
  'a red apple bounces on a blue background',
  'a panda moves left on a yellow background',
  'a big pizza spins slowly on a green background',
  'a butterfly flies up on a pink background',
  'a rocket moves up in a night sky with stars',
  'a car drives to the right on a gray background',
  'a penguin stands still on a cyan background',
  'a sunflower grows on a brown background',
  'a turtle moves slowly to the left at sea',
  'a donut shrinks on a purple background',
  'a tiger shakes on an orange background',
  'a balloon moves up over grass under a blue sky',
  'a cactus in the desert, the camera zooms in',
  'a crown circles on a black background',
  'a rose on a white background',
  'a frog jumps on a red background',
  'a watermelon moves down on a blue background',
  'a flying saucer moves fast to the right on a black background',
  'a unicorn bounces on a pink background',
  'a snail moves right on a green background',
  'a teddy bear sways in a room',
  'a rainbow on a cyan background',
  'a burger spins on a yellow background',
  'an owl moves down on a purple background',
];

const text = { type: 'string' } as const;
const { values } = parseArgs({ options: { model: text, grid: text, strips: text } });
const { model, grid = 'docs/mini-grid.webp', strips } = values;

const clips: Uint8Array[][] = [];
for (const [i, prompt] of PROMPTS.entries()) {
  const clip = await clipOf({ prompt, seed: i + 1, model });
  clips.push(clip);
  console.log(`${i + 1}: ${prompt}`);
  if (strips === undefined) continue;
  const shown = [0, 1, 2, 3].map((k) => clip[Math.round((k * (clip.length - 1)) / 3)]!);
  const file = path.join(strips, `${String(i + 1).padStart(2, '0')}.png`);
  await contactSheet(shown, { width: 128, height: 128, columns: 4, scale: 2, path: file });
}
const { path: file, bytes } = await writeGrid(clips, { columns: 6, fps: 12, file: grid });
console.log(`${file}: ${bytes} bytes`);
