/**
 * Draws docs/mini.webp: the first seed's clip of eight plain prompts, unselected, side by side.
 *
 *   node --import tsx scripts/readme-picture.ts
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { generate } from '../src/index.ts';
import { encodeVideo } from '../src/video/encode.ts';

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
const [SIDE, COLUMNS, FPS] = [128, 4, 12];
const ROWS = PROMPTS.length / COLUMNS;

const scratch = await mkdtemp(path.join(tmpdir(), 'picture-'));
const clips: Uint8Array[][] = [];
for (const [i, prompt] of PROMPTS.entries()) {
  const frames: Uint8Array[] = [];
  for await (const event of generate({ prompt, seed: 1, out: path.join(scratch, `${i}.gif`) }))
    if (event.type === 'frame') frames.push(event.rgb);
  clips.push(frames);
}
await rm(scratch, { recursive: true });

async function* grids(): AsyncGenerator<Uint8Array> {
  const [row, wide] = [SIDE * 3, SIDE * COLUMNS * 3];
  for (let t = 0; t < clips[0]!.length; t++) {
    const grid = new Uint8Array(SIDE * ROWS * wide);
    for (const [i, frames] of clips.entries())
      for (let y = 0; y < SIDE; y++) {
        const to = (Math.floor(i / COLUMNS) * SIDE + y) * wide + (i % COLUMNS) * row;
        grid.set(frames[t]!.subarray(y * row, (y + 1) * row), to);
      }
    yield grid;
  }
}

const size = { width: SIDE * COLUMNS, height: SIDE * ROWS };
const { path: file, bytes } = await encodeVideo(grids(), {
  path: 'docs/mini.webp',
  format: 'webp',
  fps: FPS,
  metadata: {},
  ...size,
});
console.log(`${file}: ${bytes} bytes`);
