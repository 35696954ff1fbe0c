/**
 * Clips of prompts, made with seeds given by their place, and an animated picture of them side by side. For the pictures of the docs;
 * nothing is chosen here.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { generate } from '../src/index.ts';
import { encodeVideo } from '../src/video/encode.ts';

/** Side of the mini model's clips. */
const SIDE = 128;

type Wish = { readonly prompt: string; readonly seed: number; readonly model?: string | undefined };

/** RGB8 frames of the clip that the program makes of `wish`, at the model's own length and steps. */
export async function clipOf({ prompt, seed, model }: Wish): Promise<Uint8Array[]> {
  const scratch = await mkdtemp(path.join(tmpdir(), 'clip-'));
  const frames: Uint8Array[] = [];
  try {
    const request = { prompt, seed, size: `${SIDE}x${SIDE}`, out: path.join(scratch, 'clip.gif') };
    for await (const event of generate({ ...request, ...(model !== undefined && { model }) }))
      if (event.type === 'frame') frames.push(event.rgb);
  } finally {
    await rm(scratch, { recursive: true });
  }
  return frames;
}

/** Clips of one length as an animated WebP of `columns`. */
export async function writeGrid(
  clips: readonly (readonly Uint8Array[])[],
  { columns, fps, file }: { columns: number; fps: number; file: string },
): Promise<{ path: string; bytes: number }> {
  const [row, line, rows] = [3 * SIDE, 3 * SIDE * columns, Math.ceil(clips.length / columns)];
  async function* pictures(): AsyncGenerator<Uint8Array> {
    for (let t = 0; t < clips[0]!.length; t++) {
      const grid = new Uint8Array(line * SIDE * rows);
      for (const [i, frames] of clips.entries())
        for (let y = 0; y < SIDE; y++) {
          const to = (Math.floor(i / columns) * SIDE + y) * line + (i % columns) * row;
          grid.set(frames[t]!.subarray(y * row, (y + 1) * row), to);
        }
      yield grid;
    }
  }
  const size = { width: SIDE * columns, height: SIDE * rows };
  return encodeVideo(pictures(), { path: file, format: 'webp', fps, metadata: {}, ...size });
}
