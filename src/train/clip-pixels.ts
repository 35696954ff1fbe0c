/**
 * Clips as the VAE takes them. Knows the layout of both; draws nothing.
 */
import type { ClipPixels } from '../data/clip-source.ts';

/** Width and height of training pictures. */
export const PICTURE = 128;

/** Clips of one shape -> [B, T, 3, H, W] in [-1, 1]. */
export function clipsToPixels(clips: readonly ClipPixels[]): Float32Array {
  const [first] = clips as readonly [ClipPixels, ...ClipPixels[]];
  const plane = first.height * first.width;
  const out = new Float32Array(clips.length * first.frames * 3 * plane);
  clips.forEach((clip, b) => {
    for (let t = 0; t < clip.frames; t++) {
      const from = t * plane * 3;
      const to = (b * clip.frames + t) * 3 * plane;
      for (let i = 0; i < plane; i++)
        for (let c = 0; c < 3; c++) out[to + c * plane + i] = clip.pixels[from + i * 3 + c]! / 127.5 - 1;
    }
  });
  return out;
}
