/**
 * Sprites: a subject's animation as premultiplied RGBA frames, and smaller copies of them for drawing small.
 * Knows pixels and sizes; does not know files, subjects or scenes.
 */

/** `pixels` is premultiplied RGBA8 [frames, size, size, 4]; the animation loops at 12 frames/s; one frame = a still. */
export type Sprite = { readonly frames: number; readonly size: number; readonly pixels: Uint8Array };

/** One frame of a sprite at one level: premultiplied RGBA8 [size, size, 4]. */
export type SpriteLevel = { readonly size: number; readonly pixels: Uint8Array };

/** Level sizes: neighbours differ by at most 1.5, so bilinear sampling of the next larger one hardly aliases. */
const LEVELS = [32, 48, 64, 96, 128, 192, 256] as const;

const levelCache = new WeakMap<Sprite, Map<number, SpriteLevel>>();

/** The frame (any integer, wrapped) at the smallest level that is at least `drawnSize` pixels wide; made once, kept. */
export function spriteLevel(sprite: Sprite, frame: number, drawnSize: number): SpriteLevel {
  const index = ((frame % sprite.frames) + sprite.frames) % sprite.frames;
  const size = LEVELS.find((level) => level >= drawnSize && level < sprite.size) ?? sprite.size;
  const cache = levelCache.get(sprite) ?? new Map<number, SpriteLevel>();
  levelCache.set(sprite, cache);
  const key = size * 0x10000 + index;
  let level = cache.get(key);
  if (!level) {
    const bytes = sprite.size * sprite.size * 4;
    const pixels = sprite.pixels.subarray(index * bytes, (index + 1) * bytes);
    level = { size, pixels: size === sprite.size ? pixels : shrink(pixels, sprite.size, size) };
    cache.set(key, level);
  }
  return level;
}

/** Area-averaged copy of a square 4-channel picture: [from, from, 4] → [to, to, 4], `to` ≤ `from`. */
export function shrink(pixels: Uint8Array, from: number, to: number): Uint8Array {
  const ratio = from / to;
  const rows = new Float32Array(to * from * 4); // [to, from, 4]: rows averaged, columns still as wide
  for (let y = 0; y < to; y++) {
    for (const [sourceY, weight] of coverage(y, ratio, from)) {
      const source = sourceY * from * 4;
      const target = y * from * 4;
      for (let i = 0; i < from * 4; i++) rows[target + i]! += pixels[source + i]! * weight;
    }
  }
  const out = new Uint8Array(to * to * 4);
  for (let x = 0; x < to; x++) {
    const columns = coverage(x, ratio, from);
    for (let y = 0; y < to; y++) {
      for (let channel = 0; channel < 4; channel++) {
        let sum = 0.5;
        for (const [sourceX, weight] of columns) sum += rows[(y * from + sourceX) * 4 + channel]! * weight;
        out[(y * to + x) * 4 + channel] = sum;
      }
    }
  }
  return out;
}

/** Which source rows target row `index` averages, with weights that sum to 1. */
function coverage(index: number, ratio: number, length: number): [source: number, weight: number][] {
  const start = index * ratio;
  const end = Math.min(length, start + ratio);
  const parts: [number, number][] = [];
  for (let source = Math.floor(start); source < end; source++) {
    parts.push([source, (Math.min(end, source + 1) - Math.max(start, source)) / ratio]);
  }
  return parts;
}

/** Straight RGBA8 → premultiplied, in place. */
export function premultiply(pixels: Uint8Array): Uint8Array {
  for (let i = 0; i < pixels.length; i += 4) {
    const alpha = pixels[i + 3]! / 255;
    for (let channel = 0; channel < 3; channel++) pixels[i + channel] = Math.round(pixels[i + channel]! * alpha);
  }
  return pixels;
}
