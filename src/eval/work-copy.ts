/**
 * The small smooth copy of a clip that its scores are read from: noise and size matter little there.
 * Knows colours of pixels only.
 */

/** Side of the working copy; positions of the scorer are in its pixels, centres at integers. */
export const WORK_SIZE = 64;

/** RGB (0-255, fractional) as [frames, 64, 64, 3]. */
export type WorkCopy = { readonly frames: number; readonly colours: Float32Array };

export type Rgb = readonly [number, number, number];

/** Area-averaged and smoothed copy of RGB8 [frames, height, width, 3]. */
export function workCopy(pixels: Uint8Array, { width, height }: { width: number; height: number }): WorkCopy {
  const frames = pixels.length / (width * height * 3);
  const colours = new Float32Array(frames * WORK_SIZE * WORK_SIZE * 3);
  const cuts = (length: number) =>
    Array.from({ length: WORK_SIZE + 1 }, (_, i) => Math.round((i * length) / WORK_SIZE));
  const xs = cuts(width);
  const ys = cuts(height);
  for (let frame = 0; frame < frames; frame++) {
    for (let y = 0; y < WORK_SIZE; y++) {
      for (let x = 0; x < WORK_SIZE; x++) {
        const x0 = Math.min(xs[x]!, width - 1);
        const y0 = Math.min(ys[y]!, height - 1);
        const x1 = Math.max(xs[x + 1]!, x0 + 1);
        const y1 = Math.max(ys[y + 1]!, y0 + 1);
        const target = ((frame * WORK_SIZE + y) * WORK_SIZE + x) * 3;
        for (let sy = y0; sy < y1; sy++) {
          for (let sx = x0; sx < x1; sx++) {
            const source = ((frame * height + sy) * width + sx) * 3;
            colours[target]! += pixels[source]!;
            colours[target + 1]! += pixels[source + 1]!;
            colours[target + 2]! += pixels[source + 2]!;
          }
        }
        const count = (x1 - x0) * (y1 - y0);
        for (let channel = 0; channel < 3; channel++) colours[target + channel]! /= count;
      }
    }
  }
  for (let frame = 0; frame < frames; frame++) smoothPicture(colours.subarray(frame * PICTURE, (frame + 1) * PICTURE));
  return { frames, colours };
}

const PICTURE = WORK_SIZE * WORK_SIZE * 3;

/** 3 × 3 box average of [64, 64, 3] in place, edges repeated. */
export function smoothPicture(picture: Float32Array): void {
  const row = WORK_SIZE * 3;
  const line = new Float32Array(WORK_SIZE);
  for (let k = 0; k < WORK_SIZE; k++)
    for (let channel = 0; channel < 3; channel++) average(picture, k * row + channel, 3, line);
  for (let k = 0; k < WORK_SIZE; k++)
    for (let channel = 0; channel < 3; channel++) average(picture, k * 3 + channel, row, line);
}

function average(picture: Float32Array, start: number, stride: number, line: Float32Array): void {
  for (let i = 0; i < WORK_SIZE; i++) line[i] = picture[start + i * stride]!;
  for (let i = 0; i < WORK_SIZE; i++) {
    const before = line[Math.max(0, i - 1)]!;
    const after = line[Math.min(WORK_SIZE - 1, i + 1)]!;
    picture[start + i * stride] = (before + line[i]! + after) / 3;
  }
}

/** Every other pixel of the working copy, both ways: enough to tell whole backgrounds apart. */
const COARSE_STEP = 2;

/** Side of a coarse picture. */
export const COARSE_SIZE = WORK_SIZE / COARSE_STEP;

/** A deviation of more grey levels than this counts as this much, so that what stands before a background says little. */
const MOST_DEVIATION = 32;

/** How badly `colourAt` explains one frame: mean deviation in grey levels over a coarse grid of its pixels. */
export function pictureMisfit(
  { colours }: WorkCopy,
  frame: number,
  colourAt: (row: number, column: number, channel: number) => number,
): number {
  let sum = 0;
  for (let row = 0; row < COARSE_SIZE; row++) {
    for (let column = 0; column < COARSE_SIZE; column++) {
      const at = ((frame * WORK_SIZE + row * COARSE_STEP) * WORK_SIZE + column * COARSE_STEP) * 3;
      let deviation = 0;
      for (let channel = 0; channel < 3; channel++)
        deviation += Math.abs(colours[at + channel]! - colourAt(row, column, channel));
      sum += Math.min(MOST_DEVIATION, deviation / 3);
    }
  }
  return sum / COARSE_SIZE ** 2;
}

/** Where a coarse pixel lies in a picture of 128 units. */
export const coarseUnits = (index: number): number => (index * COARSE_STEP + 0.5) * (128 / WORK_SIZE);

/** `count` frames of a clip, evenly from the first to the last. */
export function framesAlong(frames: number, count: number): number[] {
  if (frames <= count) return Array.from({ length: frames }, (_, i) => i);
  return Array.from({ length: count }, (_, i) => Math.round((i * (frames - 1)) / (count - 1)));
}
