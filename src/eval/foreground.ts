/**
 * Separates a clip into its plain or vertically graded background and what stands before it.
 * Everything happens on a 64-row copy, so noise and size matter little. Does not know subjects or motions.
 */
import { type Background, backgroundAt, COLOUR_NAMES } from '../data/background.ts';

/** Side of the working copy; positions below are in its pixels. */
export const WORK_SIZE = 64;

/** A clip's working copy: `difference` is RGB minus background [frames, 64, 64, 3], `mask` its foreground weight [frames, 64, 64]. */
export type Foreground = {
  readonly frames: number;
  readonly background: Background;
  /** Fitted RGB at height `v` in [0, 1], 0 = top. */
  backgroundAt(v: number): readonly [number, number, number];
  readonly difference: Float32Array;
  readonly mask: Float32Array;
  readonly blobs: readonly Blob[];
};

/** Moments of a foreground mask: centroid (pixel centres at integers) and square root of the area, both in pixels. */
export type Blob = { readonly x: number; readonly y: number; readonly extent: number };

/** Differences below this many grey levels are noise; from `MASK_FULL` on a pixel is foreground for certain. */
const MASK_NONE = 12;
const MASK_FULL = 40;

/** Foreground weight of a colour difference. */
export function maskWeight(dr: number, dg: number, db: number): number {
  const distance = Math.sqrt(dr * dr + dg * dg + db * db);
  return Math.min(1, Math.max(0, (distance - MASK_NONE) / (MASK_FULL - MASK_NONE)));
}

/** Splits RGB8 frames [frames, height, width, 3]. */
export function separate(pixels: Uint8Array, { width, height }: { width: number; height: number }): Foreground {
  const frames = pixels.length / (width * height * 3);
  const work = smooth(toWorkSize(pixels, { frames, width, height }), frames);
  const [top, bottom] = fitBackground(work, frames);
  const fitted = (v: number): [number, number, number] => [
    top[0] + (bottom[0] - top[0]) * v,
    top[1] + (bottom[1] - top[1]) * v,
    top[2] + (bottom[2] - top[2]) * v,
  ];
  const plane = WORK_SIZE * WORK_SIZE;
  const mask = new Float32Array(frames * plane);
  for (let i = 0; i < frames * plane; i++) {
    const row = Math.floor((i % plane) / WORK_SIZE);
    const colour = fitted(row / (WORK_SIZE - 1));
    for (let channel = 0; channel < 3; channel++) work[i * 3 + channel]! -= colour[channel]!;
    mask[i] = maskWeight(work[i * 3]!, work[i * 3 + 1]!, work[i * 3 + 2]!);
  }
  const blobs: Blob[] = [];
  for (let frame = 0; frame < frames; frame++) {
    const one = mask.subarray(frame * plane, (frame + 1) * plane);
    dropSpecks(one);
    blobs.push(blobOf(one, WORK_SIZE));
  }
  return { frames, background: nearestBackground(top, bottom), backgroundAt: fitted, difference: work, mask, blobs };
}

/** Moments of a square mask [side, side]; an empty one has extent 0 and lies in the middle. */
export function blobOf(mask: Float32Array, side: number): Blob {
  let area = 0;
  let x = 0;
  let y = 0;
  for (let i = 0; i < mask.length; i++) {
    const weight = mask[i]!;
    area += weight;
    x += weight * (i % side);
    y += weight * Math.floor(i / side);
  }
  if (area < 1) return { x: (side - 1) / 2, y: (side - 1) / 2, extent: 0 };
  return { x: x / area, y: y / area, extent: Math.sqrt(area) };
}

/** Area-averaged copy: RGB8 [frames, height, width, 3] → [frames, 64, 64, 3]. */
function toWorkSize(
  pixels: Uint8Array,
  { frames, width, height }: { frames: number; width: number; height: number },
): Float32Array {
  const out = new Float32Array(frames * WORK_SIZE * WORK_SIZE * 3);
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
            out[target]! += pixels[source]!;
            out[target + 1]! += pixels[source + 1]!;
            out[target + 2]! += pixels[source + 2]!;
          }
        }
        const count = (x1 - x0) * (y1 - y0);
        for (let channel = 0; channel < 3; channel++) out[target + channel]! /= count;
      }
    }
  }
  return out;
}

/** 3 × 3 box average, edges repeated; [frames, 64, 64, 3] in place. */
function smooth(work: Float32Array, frames: number): Float32Array {
  const row = WORK_SIZE * 3;
  const line = new Float32Array(WORK_SIZE);
  for (let frame = 0; frame < frames; frame++) {
    const base = frame * WORK_SIZE * row;
    for (let k = 0; k < WORK_SIZE; k++) {
      for (let channel = 0; channel < 3; channel++) {
        average(work, base + k * row + channel, 3, line);
      }
    }
    for (let k = 0; k < WORK_SIZE; k++) {
      for (let channel = 0; channel < 3; channel++) average(work, base + k * 3 + channel, row, line);
    }
  }
  return work;
}

function average(work: Float32Array, start: number, stride: number, line: Float32Array): void {
  for (let i = 0; i < WORK_SIZE; i++) line[i] = work[start + i * stride]!;
  for (let i = 0; i < WORK_SIZE; i++) {
    const before = line[Math.max(0, i - 1)]!;
    const after = line[Math.min(WORK_SIZE - 1, i + 1)]!;
    work[start + i * stride] = (before + line[i]! + after) / 3;
  }
}

type Rgb = [number, number, number];

/** RGB at the top and bottom edge: a line through the row medians of the left and right margins over all frames. */
function fitBackground(work: Float32Array, frames: number): [top: Rgb, bottom: Rgb] {
  const margin = 4;
  const columns = Array.from({ length: WORK_SIZE }, (_, x) => x).filter((x) => x < margin || x >= WORK_SIZE - margin);
  const edges = (channel: number): [number, number] => {
    const rows: number[] = [];
    for (let y = 0; y < WORK_SIZE; y++) {
      const values: number[] = [];
      for (let frame = 0; frame < frames; frame++) {
        for (const x of columns) values.push(work[((frame * WORK_SIZE + y) * WORK_SIZE + x) * 3 + channel]!);
      }
      rows.push(median(values));
    }
    // Theil-Sen over half-height steps: one slope from the median of many, so a subject at the edge does not tilt it.
    const half = WORK_SIZE / 2;
    const slope = median(Array.from({ length: half }, (_, y) => (rows[y + half]! - rows[y]!) / half));
    const level = median(rows.map((value, y) => value - slope * (y - (WORK_SIZE - 1) / 2)));
    return [level - (slope * (WORK_SIZE - 1)) / 2, level + (slope * (WORK_SIZE - 1)) / 2];
  };
  const [red, green, blue] = [edges(0), edges(1), edges(2)];
  return [
    [red[0], green[0], blue[0]],
    [red[1], green[1], blue[1]],
  ];
}

function median(values: number[]): number {
  values.sort((a, b) => a - b);
  const middle = values.length >> 1;
  return values.length % 2 === 1 ? values[middle]! : (values[middle - 1]! + values[middle]!) / 2;
}

/** The named background whose top and bottom colours are nearest. */
function nearestBackground(top: Rgb, bottom: Rgb): Background {
  const distance = (a: readonly number[], b: readonly number[]) =>
    a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0);
  let best: Background = COLOUR_NAMES[0]!;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const upper of COLOUR_NAMES) {
    for (const lower of COLOUR_NAMES) {
      const background: Background = upper === lower ? upper : `${upper}>${lower}`;
      const total = distance(top, backgroundAt(background, 0)) + distance(bottom, backgroundAt(background, 1));
      if (total < bestDistance) [best, bestDistance] = [background, total];
    }
  }
  return best;
}

/** Clears connected parts much smaller than the largest one: stray marks are not the subject. */
function dropSpecks(mask: Float32Array): void {
  const label = new Int32Array(mask.length).fill(-1);
  const areas: number[] = [];
  for (let seed = 0; seed < mask.length; seed++) {
    if (mask[seed] === 0 || label[seed] !== -1) continue;
    const stack = [seed];
    label[seed] = areas.length;
    let area = 0;
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      area += mask[at]!;
      const x = at % WORK_SIZE;
      const neighbours = [at - WORK_SIZE, at + WORK_SIZE, x > 0 ? at - 1 : -1, x < WORK_SIZE - 1 ? at + 1 : -1];
      for (const next of neighbours) {
        if (next < 0 || next >= mask.length || mask[next] === 0 || label[next] !== -1) continue;
        label[next] = areas.length;
        stack.push(next);
      }
    }
    areas.push(area);
  }
  const least = 0.05 * Math.max(0, ...areas);
  for (let i = 0; i < mask.length; i++) if (mask[i] !== 0 && areas[label[i]!]! < least) mask[i] = 0;
}
