/**
 * Draws what the shipped model makes of the evaluation's plain prompts, first seed each, unselected: docs/mini-grid.webp for the
 * model card, all of them in order, and docs/mini.webp for the README, the first eight.
 *
 *   node --import tsx scripts/sample-grids.ts
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PLAIN_PROMPTS } from '../src/eval/plain-prompts.ts';
import { generate } from '../src/index.ts';
import { encodeVideo } from '../src/video/encode.ts';

const [SIDE, FPS, SEED] = [128, 12, 0];

const scratch = await mkdtemp(path.join(tmpdir(), 'samples-'));
const clips: Uint8Array[][] = [];
for (const [i, prompt] of PLAIN_PROMPTS.entries()) {
  const frames: Uint8Array[] = [];
  for await (const event of generate({ prompt, seed: SEED, out: path.join(scratch, `${i}.gif`) }))
    if (event.type === 'frame') frames.push(event.rgb);
  clips.push(frames);
  console.log(`${i + 1}. ${prompt}`);
}
await rm(scratch, { recursive: true });

async function* grid(shown: readonly Uint8Array[][], columns: number): AsyncGenerator<Uint8Array> {
  const [row, wide] = [SIDE * 3, SIDE * columns * 3];
  for (let t = 0; t < shown[0]!.length; t++) {
    const picture = new Uint8Array(SIDE * (shown.length / columns) * wide);
    for (const [i, frames] of shown.entries())
      for (let y = 0; y < SIDE; y++) {
        const to = (Math.floor(i / columns) * SIDE + y) * wide + (i % columns) * row;
        picture.set(frames[t]!.subarray(y * row, (y + 1) * row), to);
      }
    yield picture;
  }
}

async function draw(file: string, shown: readonly Uint8Array[][], columns: number): Promise<void> {
  const size = { width: SIDE * columns, height: SIDE * (shown.length / columns) };
  const written = await encodeVideo(grid(shown, columns), {
    path: file,
    format: 'webp',
    fps: FPS,
    metadata: {},
    ...size,
  });
  console.log(`${written.path}: ${written.bytes} bytes`);
}

await draw('docs/mini.webp', clips.slice(0, 8), 4);
await draw('docs/mini-grid.webp', clips, 6);
