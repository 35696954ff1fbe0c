/**
 * Separates a clip into its background (a colour, a gradient, or a scenery under a camera) and what stands before it.
 * Everything happens on the working copy. Does not know subjects or motions.
 */
import type { Background } from '../data/background.ts';
import type { Camera, View } from '../data/camera.ts';
import { fitGradient } from './gradient-fit.ts';
import { fitScenery, paintScenery } from './scenery-fit.ts';
import { framesAlong, type Rgb, WORK_SIZE, workCopy } from './work-copy.ts';

/** A clip's working copy: `difference` is RGB minus background [frames, 64, 64, 3], `mask` its foreground weight [frames, 64, 64]. */
export type Foreground = {
  readonly frames: number;
  readonly background: Background;
  readonly camera: Camera;
  /** What the camera shows of the plane in each frame. */
  readonly views: readonly View[];
  /** Fitted RGB at height `v` in [0, 1], 0 = top; of a scenery the mean of the row. */
  backgroundAt(v: number): Rgb;
  readonly difference: Float32Array;
  readonly mask: Float32Array;
  readonly blobs: readonly Blob[];
};

/** Moments of a foreground mask: centroid (pixel centres at integers) and square root of the area, both in pixels. */
export type Blob = { readonly x: number; readonly y: number; readonly extent: number };

/** Differences below this many grey levels are noise; from `MASK_FULL` on a pixel is foreground for certain. */
const MASK_NONE = 12;
const MASK_FULL = 40;

/** Frames that decide between colours and sceneries. */
const JUDGED = 3;

/** Foreground weight of a colour difference. */
export function maskWeight(dr: number, dg: number, db: number): number {
  const distance = Math.sqrt(dr * dr + dg * dg + db * db);
  return Math.min(1, Math.max(0, (distance - MASK_NONE) / (MASK_FULL - MASK_NONE)));
}

/** Splits RGB8 frames [frames, height, width, 3]. */
export function separate(pixels: Uint8Array, size: { width: number; height: number }): Foreground {
  const work = workCopy(pixels, size);
  const { frames, colours: difference } = work;
  const judged = framesAlong(frames, JUDGED);
  const gradient = fitGradient(work, judged);
  const scenery = fitScenery(work, judged, gradient.misfit);
  const views = scenery?.views ?? new Array<View>(frames).fill({ x: 0, zoom: 1 });
  let behind = scenery ? paintScenery(scenery.scenery, views[0]!) : paintRows(gradient.colourAt);
  const backgroundAt = scenery ? rowMeans(behind) : gradient.colourAt;

  const plane = WORK_SIZE * WORK_SIZE;
  const mask = new Float32Array(frames * plane);
  for (let frame = 0; frame < frames; frame++) {
    if (scenery && frame > 0 && scenery.camera !== 'static') behind = paintScenery(scenery.scenery, views[frame]!);
    for (let i = 0; i < plane; i++) {
      const at = (frame * plane + i) * 3;
      for (let channel = 0; channel < 3; channel++) difference[at + channel]! -= behind[i * 3 + channel]!;
      mask[frame * plane + i] = maskWeight(difference[at]!, difference[at + 1]!, difference[at + 2]!);
    }
    dropSpecks(mask.subarray(frame * plane, (frame + 1) * plane));
  }
  const background = scenery?.scenery ?? gradient.background;
  const camera = scenery?.camera ?? 'static';
  return { frames, background, camera, views, backgroundAt, difference, mask, blobs: blobsOf(mask) };
}

/** The moments of each frame of a mask [frames, 64, 64]. */
export function blobsOf(mask: Float32Array): Blob[] {
  const plane = WORK_SIZE * WORK_SIZE;
  return Array.from({ length: mask.length / plane }, (_, frame) =>
    blobOf(mask.subarray(frame * plane, (frame + 1) * plane), WORK_SIZE),
  );
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

/** A picture [64, 64, 3] of one colour a row. */
function paintRows(colourAt: (v: number) => Rgb): Float32Array {
  const picture = new Float32Array(WORK_SIZE * WORK_SIZE * 3);
  for (let row = 0; row < WORK_SIZE; row++) {
    const colour = colourAt(row / (WORK_SIZE - 1));
    for (let column = 0; column < WORK_SIZE; column++) picture.set(colour, (row * WORK_SIZE + column) * 3);
  }
  return picture;
}

function rowMeans(picture: Float32Array): (v: number) => Rgb {
  const rows = Array.from({ length: WORK_SIZE }, (_, row): Rgb => {
    const sum = [0, 0, 0] as [number, number, number];
    for (let i = 0; i < WORK_SIZE * 3; i++) sum[i % 3]! += picture[row * WORK_SIZE * 3 + i]! / WORK_SIZE;
    return sum;
  });
  return (v) => rows[Math.round(v * (WORK_SIZE - 1))]!;
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
