/**
 * How close a picture or clip is to another: PSNR and SSIM on 8-bit RGB.
 * Knows numbers only; does not know what the pictures show.
 */
import { inputError } from '../errors.ts';

/** Peak signal-to-noise ratio in dB over all bytes of two equal-sized arrays; Infinity when they are equal. */
export function psnr(a: Uint8Array, b: Uint8Array): number {
  requireSameLength('psnr', a, b);
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10((255 ** 2 * a.length) / sum);
}

const WINDOW = 11;
const SIGMA = 1.5;
const C1 = (0.01 * 255) ** 2;
const C2 = (0.03 * 255) ** 2;

/**
 * Mean structural similarity of two clips RGB8 [frames, height, width, 3], per frame and channel, in [-1, 1].
 * Wang et al. 2004: Gaussian window of 11 with sigma 1.5, whole windows only; so both sides must be at least 11.
 */
export function ssim(a: Uint8Array, b: Uint8Array, { width, height }: { width: number; height: number }): number {
  requireSameLength('ssim', a, b);
  if (width < WINDOW || height < WINDOW) throw inputError('ssim', `sides must be at least ${WINDOW}`, [width, height]);
  const plane = width * height;
  if (a.length === 0 || a.length % (plane * 3) !== 0) {
    throw inputError('ssim', `length must be a multiple of ${plane * 3}`, a.length);
  }
  const frames = a.length / (plane * 3);
  let sum = 0;
  for (let frame = 0; frame < frames; frame++) {
    for (let channel = 0; channel < 3; channel++) {
      const x = new Float64Array(plane);
      const y = new Float64Array(plane);
      for (let i = 0; i < plane; i++) {
        x[i] = a[(frame * plane + i) * 3 + channel]!;
        y[i] = b[(frame * plane + i) * 3 + channel]!;
      }
      const smooth = (values: Float64Array) => blur(values, width, height);
      sum += meanSimilarity({
        x: smooth(x),
        y: smooth(y),
        xx: smooth(x.map((p) => p * p)),
        yy: smooth(y.map((q) => q * q)),
        xy: smooth(x.map((p, i) => p * y[i]!)),
      });
    }
  }
  return sum / (frames * 3);
}

/** Windowed means of the two pictures, their squares and their product. */
type Moments = Readonly<Record<'x' | 'y' | 'xx' | 'yy' | 'xy', Float64Array>>;

function meanSimilarity({ x, y, xx, yy, xy }: Moments): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) {
    const product = x[i]! * y[i]!;
    const squares = x[i]! ** 2 + y[i]! ** 2;
    const covariance = xy[i]! - product;
    const variances = xx[i]! + yy[i]! - squares;
    sum += ((2 * product + C1) * (2 * covariance + C2)) / ((squares + C1) * (variances + C2));
  }
  return sum / x.length;
}

const KERNEL = (() => {
  const raw = Array.from({ length: WINDOW }, (_, i) => Math.exp(-((i - (WINDOW - 1) / 2) ** 2) / (2 * SIGMA ** 2)));
  const total = raw.reduce((sum, weight) => sum + weight, 0);
  return raw.map((weight) => weight / total);
})();

/** Gaussian average over whole windows: [height, width] → [height - 10, width - 10]. */
function blur(values: Float64Array, width: number, height: number): Float64Array {
  const narrow = width - WINDOW + 1;
  const low = height - WINDOW + 1;
  const rows = new Float64Array(height * narrow);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < narrow; x++) {
      let sum = 0;
      for (let k = 0; k < WINDOW; k++) sum += KERNEL[k]! * values[y * width + x + k]!;
      rows[y * narrow + x] = sum;
    }
  }
  const out = new Float64Array(low * narrow);
  for (let y = 0; y < low; y++) {
    for (let x = 0; x < narrow; x++) {
      let sum = 0;
      for (let k = 0; k < WINDOW; k++) sum += KERNEL[k]! * rows[(y + k) * narrow + x]!;
      out[y * narrow + x] = sum;
    }
  }
  return out;
}

function requireSameLength(op: string, a: Uint8Array, b: Uint8Array): void {
  if (a.length !== b.length) throw inputError(op, 'both must have the same length', [a.length, b.length]);
}
