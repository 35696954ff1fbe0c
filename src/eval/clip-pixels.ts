/**
 * Clips of scored size as bytes and as the VAE's floats. Does not know where they come from.
 */
import { SCENE_SIZE } from '../data/scene.ts';
import { framesFromDecoded, pixelsToFloat } from '../video/pixels.ts';

/** Every scored clip is as large as emoji world's scenes, in pixels. */
export const CLIP_SIZE = { width: SCENE_SIZE, height: SCENE_SIZE } as const;

const FRAME_BYTES = SCENE_SIZE * SCENE_SIZE * 3;

/** A decoder's pieces [T, 3, 128, 128] flat in [-1, 1] → RGB8 [frames, 128, 128, 3]. */
export async function pixelsOf(pieces: AsyncIterable<Float32Array>): Promise<Uint8Array> {
  const frames: Uint8Array[] = [];
  for await (const piece of pieces)
    frames.push(...framesFromDecoded(piece, { frames: piece.length / FRAME_BYTES, ...CLIP_SIZE }));
  const pixels = new Uint8Array(frames.length * FRAME_BYTES);
  frames.forEach((frame, t) => {
    pixels.set(frame, t * FRAME_BYTES);
  });
  return pixels;
}

/** The frames of RGB8 [frames, 128, 128, 3], as views. */
export const framesOf = (pixels: Uint8Array): Uint8Array[] =>
  Array.from({ length: pixels.length / FRAME_BYTES }, (_, t) =>
    pixels.subarray(t * FRAME_BYTES, (t + 1) * FRAME_BYTES),
  );

/** RGB8 [frames, 128, 128, 3] → what the encoder takes, [frames, 3, 128, 128] in [-1, 1]. */
export const floatsOf = (pixels: Uint8Array): Float32Array => pixelsToFloat(framesOf(pixels), CLIP_SIZE);
