/**
 * The maps of previews from examples, by ridge regression in closed form. Sums are all that is kept of the examples.
 * Does not know clips, encoders or files.
 */
import { inputError } from '../errors.ts';
import { CHUNK_FRAMES, CHUNK_LATENTS, SPATIAL_FACTOR } from './config.ts';
import { isFirst, type LinearMap, PREVIEW_OUTPUTS, PREVIEW_PIXELS, type PreviewMaps } from './preview.ts';

/** One chunk: `latents` [3, z, h, w] of the VAE's own scale, and its `pixels`, RGB8 [17, 16h, 16w, 3]. */
export type PreviewExample = {
  readonly latents: Float32Array;
  readonly pixels: Uint8Array;
  readonly height: number;
  readonly width: number;
};

export type PreviewFitter = {
  add(example: PreviewExample): void;
  /** @throws input error where no example was given. */
  maps(): PreviewMaps;
};

/** Of a channel's mean square. Chosen on held-out clips of the mini model, where 0 costs 0.1 dB. */
const RIDGE = 0.02;
/** Of the number of places: holds the weights of a channel that is always 0 at 0. */
const FLOOR = 1e-9;

/** Sums for a VAE of `channels` latent channels. */
export function previewFitter(channels: number): PreviewFitter {
  const sums = { first: leastSquares(channels), later: leastSquares(channels) };
  return {
    add({ latents, pixels, height, width }) {
      const plane = height * width;
      for (let frame = 0; frame < CHUNK_LATENTS; frame++) {
        const wanted = previewTarget(pixels, { frame, height, width });
        const from = frame * channels * plane;
        const fit = isFirst(frame) ? sums.first : sums.later;
        for (let i = 0; i < plane; i++) {
          const input = Float64Array.from({ length: channels }, (_, c) => latents[from + c * plane + i]!);
          fit.add(input, wanted.subarray(i * PREVIEW_OUTPUTS, (i + 1) * PREVIEW_OUTPUTS));
        }
      }
    },
    maps: () => ({ first: sums.first.solve(), later: sums.later.solve() }),
  };
}

/**
 * What a preview of latent frame `frame` of a chunk should show: areas of 8x8 pixels averaged, over the one frame or the eight
 * that it stands for, as [places, 12] in [-1, 1].
 */
export function previewTarget(
  pixels: Uint8Array,
  { frame, height, width }: { frame: number; height: number; width: number },
): Float64Array {
  const side = SPATIAL_FACTOR / PREVIEW_PIXELS;
  const row = width * SPATIAL_FACTOR;
  const [start, end] = isFirst(frame) ? [0, 1] : [8 * frame - 7, 8 * frame + 1];
  const out = new Float64Array(height * width * PREVIEW_OUTPUTS);
  if (pixels.length !== CHUNK_FRAMES * height * SPATIAL_FACTOR * row * 3)
    throw inputError(
      'previewTarget',
      `must hold ${CHUNK_FRAMES} frames of ${height} x ${width} latents`,
      pixels.length,
    );
  for (let t = start; t < end; t++) {
    for (let y = 0; y < height * SPATIAL_FACTOR; y++) {
      const place = Math.floor(y / SPATIAL_FACTOR) * width;
      const above = (Math.floor(y / side) % PREVIEW_PIXELS) * PREVIEW_PIXELS;
      for (let x = 0; x < row; x++) {
        const pixel = above + (Math.floor(x / side) % PREVIEW_PIXELS);
        const to = (place + Math.floor(x / SPATIAL_FACTOR)) * PREVIEW_OUTPUTS + pixel * 3;
        const from = ((t * height * SPATIAL_FACTOR + y) * row + x) * 3;
        for (let c = 0; c < 3; c++) out[to + c]! += pixels[from + c]!;
      }
    }
  }
  const share = 127.5 * side * side * (end - start);
  return out.map((sum) => sum / share - 1);
}

/** Normal equations of 12 linear functions of `channels` numbers and a constant, which is not penalised. */
function leastSquares(channels: number) {
  const size = channels + 1;
  const products = Array.from({ length: size }, () => new Float64Array(size));
  const targets = Array.from({ length: size }, () => new Float64Array(PREVIEW_OUTPUTS));
  let count = 0;
  return {
    add(input: Float64Array, wanted: Float64Array): void {
      count += 1;
      for (let a = 0; a < size; a++) {
        const value = a < channels ? input[a]! : 1;
        const [row, target] = [products[a]!, targets[a]!];
        for (let b = 0; b < channels; b++) row[b]! += value * input[b]!;
        row[channels]! += value;
        for (let o = 0; o < PREVIEW_OUTPUTS; o++) target[o]! += value * wanted[o]!;
      }
    },
    solve(): LinearMap {
      if (count === 0) throw inputError('preview', 'there must be at least one clip', 0);
      const left = products.map((row) => row.slice());
      for (let a = 0; a < channels; a++) left[a]![a]! += RIDGE * products[a]![a]! + FLOOR * count;
      const solution = eliminate(
        left,
        targets.map((row) => row.slice()),
      );
      const weight = new Float32Array(PREVIEW_OUTPUTS * channels);
      for (let o = 0; o < PREVIEW_OUTPUTS; o++)
        for (let c = 0; c < channels; c++) weight[o * channels + c] = solution[c]![o]!;
      return { weight, bias: Float32Array.from(solution[channels]!) };
    },
  };
}

/** Solves `left` X = `right` in place by elimination; `left` is symmetric and positive, so that no row need be exchanged. */
function eliminate(left: Float64Array[], right: Float64Array[]): Float64Array[] {
  const size = left.length;
  const subtract = (row: Float64Array, other: Float64Array, factor: number): void => {
    for (let i = 0; i < row.length; i++) row[i]! -= factor * other[i]!;
  };
  for (let pivot = 0; pivot < size; pivot++) {
    for (let row = pivot + 1; row < size; row++) {
      const factor = left[row]![pivot]! / left[pivot]![pivot]!;
      subtract(left[row]!, left[pivot]!, factor);
      subtract(right[row]!, right[pivot]!, factor);
    }
  }
  for (let row = size - 1; row >= 0; row--) {
    for (let solved = row + 1; solved < size; solved++) subtract(right[row]!, right[solved]!, left[row]![solved]!);
    const scale = left[row]![row]!;
    for (let i = 0; i < right[row]!.length; i++) right[row]![i]! /= scale;
  }
  return right;
}
