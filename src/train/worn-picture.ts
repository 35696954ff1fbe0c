/**
 * Pictures as a decoder may leave them: softer, noisier, of slightly other colours. A network that is to judge decoded frames
 * must not take these for another subject. Knows pixels and random numbers only.
 */
import type { Random } from '../data/random.ts';

/** How far pictures are worn at most. */
const BLUR = { low: 0.5, high: 1.8 }; // deviation in pixels
const NOISE = 8; // deviation in grey levels
const GAIN = 0.07;
const SHIFT = 6;

/** A worn copy of an RGB8 picture [height, width, 3]. */
export function wornPicture(
  pixels: Uint8Array,
  { width, height }: { width: number; height: number },
  random: Random,
): Uint8Array {
  const soft =
    random.uniform() < 0.7 ? blurred(pixels, { width, height }, random.between(BLUR.low, BLUR.high)) : pixels;
  const noise = random.uniform() < 0.5 ? random.between(0, NOISE) : 0;
  // The sum of two uniform numbers in [-1, 1] has variance 2 / 3.
  const reach = noise * Math.sqrt(1.5);
  const gains = [0, 0, 0].map(() => random.between(1 - GAIN, 1 + GAIN));
  const shift = random.between(-SHIFT, SHIFT);
  const out = new Uint8Array(pixels.length);
  for (let i = 0; i < out.length; i++) {
    const grain = reach === 0 ? 0 : reach * (random.uniform() + random.uniform() - 1) * 2;
    out[i] = Math.max(0, Math.min(255, Math.round(soft[i]! * gains[i % 3]! + shift + grain)));
  }
  return out;
}

/** Gaussian blur, rows and then columns; edges are continued. */
function blurred(
  pixels: Uint8Array,
  { width, height }: { width: number; height: number },
  deviation: number,
): Float32Array {
  const reach = Math.ceil(2 * deviation);
  const taps = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-(((i - reach) / deviation) ** 2) / 2));
  const total = taps.reduce((a, b) => a + b);
  const along = (from: ArrayLike<number>, axis: 'x' | 'y'): Float32Array => {
    const out = new Float32Array(pixels.length);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        for (let k = -reach; k <= reach; k++) {
          const u = axis === 'x' ? Math.max(0, Math.min(width - 1, x + k)) : x;
          const v = axis === 'y' ? Math.max(0, Math.min(height - 1, y + k)) : y;
          const weight = taps[k + reach]! / total;
          for (let c = 0; c < 3; c++) out[(y * width + x) * 3 + c]! += weight * from[(v * width + u) * 3 + c]!;
        }
    return out;
  };
  return along(along(pixels, 'x'), 'y');
}
