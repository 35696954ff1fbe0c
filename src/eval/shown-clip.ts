/**
 * Clips to look at: animated WebP files for a report and for the eyes. Chooses no clips and judges none.
 */
import { encodeVideo } from '../video/encode.ts';
import { CLIP_SIZE, framesOf } from './clip-pixels.ts';

/** A clip in a grid: its file, what was asked for, and what the scorer makes of it, if anything. */
export type ShownClip = {
  readonly file: string;
  readonly caption: string;
  readonly verdict: string;
  /** Whether it met everything that was asked; absent where nothing was scored. */
  readonly met?: boolean;
};

/** Writes RGB8 [frames, 128, 128, 3] to `file`, which ends in `.webp`, with its prompt if the file may tell it. */
export async function writeClip(
  file: string,
  pixels: Uint8Array,
  { fps, prompt }: { fps: number; prompt?: string },
): Promise<void> {
  await encodeVideo(framesOf(pixels), {
    path: file,
    ...CLIP_SIZE,
    fps,
    metadata: prompt === undefined ? {} : { prompt },
  });
}
