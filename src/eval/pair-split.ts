/**
 * One subject or two: a clip's foreground is cut in two where it is thinnest, and each half compared with the sprites. Two
 * halves that both look like subjects, more than the whole does like one, are a pair. Does not know what was asked for.
 */
import type { World } from '../data/world.ts';
import { blobsOf, type Foreground } from './foreground.ts';
import { bestMatch, FEW_POSES, likenessTable, trainedSubjects } from './subject-match.ts';
import { WORK_SIZE } from './work-copy.ts';

/** Two subjects side by side (`x`: left, right) or one above the other (`y`: above, below), in that order. */
export type Pair = {
  readonly axis: 'x' | 'y';
  readonly subjects: readonly [string, string];
  /** Mean likeness of the halves to their subjects. */
  readonly likeness: number;
  /** The foreground without the second subject. */
  readonly first: Foreground;
};

/** Neither half of a pair may be smaller than this share of the whole. */
const LEAST_SHARE = 0.2;

/** The best reading of a clip as two subjects, by the given frames. Whether it is a pair, its likeness says. */
export function readPair(world: World, foreground: Foreground, frames: readonly number[]): Pair {
  const along = { x: profile(foreground, 'x'), y: profile(foreground, 'y') };
  const axis = variance(along.x) >= variance(along.y) ? 'x' : 'y';
  const cut = thinnest(along[axis]) - WORK_SIZE;
  const halves = [half(foreground, axis, cut, 0), half(foreground, axis, cut, 1)] as const;
  const options = { frames, subjects: trainedSubjects(world), poses: FEW_POSES };
  const [a, b] = halves.map((one) => bestMatch(likenessTable(world, one, options)));
  return {
    axis,
    subjects: [a!.subject, b!.subject],
    likeness: (a!.likeness + b!.likeness) / 2,
    first: halves[0],
  };
}

/** Mass of the mask by distance from its own centroid along an axis, over all frames: [2 * 64], the middle at 64. */
function profile({ frames, mask, blobs }: Foreground, axis: 'x' | 'y'): Float64Array {
  const plane = WORK_SIZE * WORK_SIZE;
  const bins = new Float64Array(2 * WORK_SIZE + 1);
  for (let frame = 0; frame < frames; frame++) {
    const centre = blobs[frame]![axis];
    for (let i = 0; i < plane; i++) {
      const at = axis === 'x' ? i % WORK_SIZE : Math.floor(i / WORK_SIZE);
      bins[Math.round(at - centre) + WORK_SIZE]! += mask[frame * plane + i]!;
    }
  }
  return bins;
}

function variance(bins: Float64Array): number {
  const total = bins.reduce((sum, mass) => sum + mass, 0);
  return bins.reduce((sum, mass, i) => sum + mass * (i - WORK_SIZE) ** 2, 0) / Math.max(1, total);
}

/** The bin with the least mass that leaves enough to either side; of equal ones the nearest to the middle. */
function thinnest(bins: Float64Array): number {
  const total = bins.reduce((sum, mass) => sum + mass, 0);
  let best = WORK_SIZE;
  let bestCost = Number.POSITIVE_INFINITY;
  let below = 0;
  for (let i = 1; i < bins.length - 1; i++) {
    below += bins[i - 1]!;
    const share = below / Math.max(1, total);
    if (share < LEAST_SHARE || share > 1 - LEAST_SHARE) continue;
    const cost = (bins[i - 1]! + bins[i]! + bins[i + 1]!) / total + 1e-3 * Math.abs(share - 0.5);
    if (cost < bestCost) [best, bestCost] = [i, cost];
  }
  return best;
}

/** What lies up to `cut` from the centroid (side 0) or beyond it (side 1). */
function half(foreground: Foreground, axis: 'x' | 'y', cut: number, side: 0 | 1): Foreground {
  const plane = WORK_SIZE * WORK_SIZE;
  const mask = foreground.mask.slice();
  const difference = foreground.difference.slice();
  for (let frame = 0; frame < foreground.frames; frame++) {
    const edge = foreground.blobs[frame]![axis] + cut;
    for (let i = 0; i < plane; i++) {
      const at = axis === 'x' ? i % WORK_SIZE : Math.floor(i / WORK_SIZE);
      if (Number(at > edge) === side) continue;
      mask[frame * plane + i] = 0;
      difference.fill(0, (frame * plane + i) * 3, (frame * plane + i) * 3 + 3);
    }
  }
  return { ...foreground, mask, difference, blobs: blobsOf(mask) };
}
