/**
 * Draws docs/mini.webp: the first seed's clip of eight plain prompts, unselected, side by side.
 *
 *   node --import tsx scripts/readme-picture.ts
 */
import { clipOf, writeGrid } from './clip-grid.ts';

const PROMPTS = [
  'a red apple bounces on a blue background',
  'a panda moves left on a yellow background',
  'a frog moves down on a red background',
  'a heart grows on a gray background',
  'a penguin moves up on an orange background',
  'a ball spins on a red background',
  'a star moves right on a purple background',
  '一只猪在绿色背景上变小',
];

const clips: Uint8Array[][] = [];
for (const prompt of PROMPTS) clips.push(await clipOf({ prompt, seed: 1 }));
const { path: file, bytes } = await writeGrid(clips, { columns: 4, fps: 12, file: 'docs/mini.webp' });
console.log(`${file}: ${bytes} bytes`);
