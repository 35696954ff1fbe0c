/**
 * The plain colour or vertical gradient behind a clip, read off the margins that subjects rarely reach.
 * Does not know sceneries.
 */
import { type Background, backgroundAt, COLOUR_NAMES } from '../data/background.ts';
import { pictureMisfit, type Rgb, WORK_SIZE, type WorkCopy } from './work-copy.ts';

/** `colourAt` is the fitted RGB at height `v` in [0, 1], 0 = top; `misfit` its mean deviation in the frames asked for, in grey levels. */
export type GradientFit = {
  readonly background: Background;
  readonly misfit: number;
  colourAt(v: number): Rgb;
};

const MARGIN = 4;

/** RGB at the top and bottom edge: a line through the row medians of the left and right margins over all frames. */
export function fitGradient(work: WorkCopy, judged: readonly number[]): GradientFit {
  const columns = Array.from({ length: WORK_SIZE }, (_, x) => x).filter((x) => x < MARGIN || x >= WORK_SIZE - MARGIN);
  const edges = (channel: number): [number, number] => {
    const rows: number[] = [];
    for (let y = 0; y < WORK_SIZE; y++) {
      const values: number[] = [];
      for (let frame = 0; frame < work.frames; frame++) {
        for (const x of columns) values.push(work.colours[((frame * WORK_SIZE + y) * WORK_SIZE + x) * 3 + channel]!);
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
  const top: Rgb = [red[0], green[0], blue[0]];
  const bottom: Rgb = [red[1], green[1], blue[1]];
  const colourAt = (v: number): Rgb => [
    top[0] + (bottom[0] - top[0]) * v,
    top[1] + (bottom[1] - top[1]) * v,
    top[2] + (bottom[2] - top[2]) * v,
  ];
  const rows = Array.from({ length: WORK_SIZE }, (_, row) => colourAt(row / (WORK_SIZE - 1)));
  const misfits = judged.map((frame) => pictureMisfit(work, frame, (row, _, channel) => rows[row * 2]![channel]!));
  const misfit = misfits.reduce((sum, each) => sum + each, 0) / misfits.length;
  return { background: nearestBackground(top, bottom), misfit, colourAt };
}

function median(values: number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
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
