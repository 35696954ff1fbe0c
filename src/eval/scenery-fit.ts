/**
 * Which scenery stands behind a clip and how the camera moves over it: the scenery's own painter, under every pan and zoom
 * rate of a grid, against the clip's pixels. Does not know subjects.
 */
import { CAMERAS, type Camera, PAN_PER_FRAME, type View, viewAt, ZOOM_PER_FRAME } from '../data/camera.ts';
import { SCENERIES, type Scenery, sceneryAt } from '../data/scenery.ts';
import {
  COARSE_SIZE,
  coarseUnits,
  framesAlong,
  pictureMisfit,
  smoothPicture,
  WORK_SIZE,
  type WorkCopy,
} from './work-copy.ts';

/** `views` are those of each frame; `misfit` is the mean deviation in the judged frames, in grey levels. */
export type SceneryFit = {
  readonly scenery: Scenery;
  readonly camera: Camera;
  readonly views: readonly View[];
  readonly misfit: number;
};

/** Rates of a camera that moves evenly from the plain view: units of 128 and logarithm of scale, per frame. */
type Rates = { readonly pan: number; readonly zoom: number };

const NOMINAL_ZOOM = Math.log(ZOOM_PER_FRAME);

/** Rates tried, as shares of the data's own: to either side, pans and zooms apart. */
const PAN_SHARES = Array.from({ length: 12 }, (_, i) => (i + 1) / 6);
const ZOOM_SHARES = Array.from({ length: 8 }, (_, i) => (i + 1) / 4);
const GRID: readonly Rates[] = [-1, 1].flatMap((side) => [
  ...PAN_SHARES.map((share) => ({ pan: side * share * PAN_PER_FRAME, zoom: 0 })),
  ...ZOOM_SHARES.map((share) => ({ pan: 0, zoom: side * share * NOMINAL_ZOOM })),
]);
const STATIC: Rates = { pan: 0, zoom: 0 };

/** Frames that rates are judged by. */
const LOOKS = 7;

/** A camera moves when it goes at this share of the data's rate or faster, and when that explains the clip better by so many grey levels. */
const LEAST_SHARE = 0.4;
const LEAST_GAIN = 0.1;

const SIZE = 128;

/** The best scenery, or undefined where none explains the `judged` frames better than `limit` grey levels of misfit. */
export function fitScenery(work: WorkCopy, judged: readonly number[], limit: number): SceneryFit | undefined {
  let best: { scenery: Scenery; misfit: number } | undefined;
  for (const scenery of SCENERIES) {
    for (const camera of CAMERAS) {
      const misfit = meanMisfit(work, scenery, judged, (t) => viewAt(camera, t));
      if (misfit < (best?.misfit ?? limit)) best = { scenery, misfit };
    }
  }
  if (!best) return undefined;
  const { scenery } = best;
  const looks = framesAlong(work.frames, LOOKS);
  const misfitOf = (rates: Rates) => meanMisfit(work, scenery, looks, (t) => viewOf(rates, t));
  const still = misfitOf(STATIC);
  let rates = STATIC;
  let misfit = still;
  const consider = (other: Rates): void => {
    const its = misfitOf(other);
    if (its < misfit) [rates, misfit] = [other, its];
  };
  for (const other of GRID) consider(other);
  for (const share of [1 / 12, 1 / 24, 1 / 48]) {
    const from = rates;
    for (const side of [-share, share]) {
      if (from.zoom === 0) consider({ pan: from.pan + side * PAN_PER_FRAME, zoom: 0 });
      if (from.pan === 0) consider({ pan: 0, zoom: from.zoom + side * NOMINAL_ZOOM });
    }
  }
  if (still - misfit < LEAST_GAIN) rates = STATIC;
  const views = Array.from({ length: work.frames }, (_, t) => viewOf(rates, t));
  return { scenery, camera: cameraOf(rates), views, misfit: best.misfit };
}

/** A frame's background as the working copy would have it, [64, 64, 3]: sceneries are soft enough for one sample a pixel. */
export function paintScenery(scenery: Scenery, view: View): Float32Array {
  const picture = new Float32Array(WORK_SIZE * WORK_SIZE * 3);
  const units = SIZE / WORK_SIZE;
  for (let y = 0; y < WORK_SIZE; y++) {
    for (let x = 0; x < WORK_SIZE; x++)
      picture.set(seenAt(scenery, view, (x + 0.5) * units, (y + 0.5) * units), (y * WORK_SIZE + x) * 3);
  }
  smoothPicture(picture);
  return picture;
}

const viewOf = ({ pan, zoom }: Rates, t: number): View => ({ x: pan * t, zoom: Math.exp(zoom * t) });

function cameraOf({ pan, zoom }: Rates): Camera {
  if (Math.abs(pan) >= LEAST_SHARE * PAN_PER_FRAME) return pan < 0 ? 'pan-left' : 'pan-right';
  if (Math.abs(zoom) >= LEAST_SHARE * NOMINAL_ZOOM) return zoom > 0 ? 'zoom-in' : 'zoom-out';
  return 'static';
}

function meanMisfit(
  work: WorkCopy,
  scenery: Scenery,
  frames: readonly number[],
  viewAtFrame: (t: number) => View,
): number {
  let sum = 0;
  for (const frame of frames) {
    const picture = coarsePicture(scenery, viewAtFrame(frame));
    sum += pictureMisfit(work, frame, (row, column, channel) => picture[(row * COARSE_SIZE + column) * 3 + channel]!);
  }
  return sum / frames.length;
}

/** Coarse pictures by scenery and view: the grid's views come again with every clip. About 3 kB each. */
const pictures = new Map<string, Uint8ClampedArray>();

/** RGB8 [32, 32, 3] of a scenery at the coarse grid's points. */
function coarsePicture(scenery: Scenery, view: View): Uint8ClampedArray {
  const key = `${scenery} ${view.x.toFixed(3)} ${view.zoom.toFixed(5)}`;
  let picture = pictures.get(key);
  if (picture) return picture;
  picture = new Uint8ClampedArray(COARSE_SIZE * COARSE_SIZE * 3);
  for (let row = 0; row < COARSE_SIZE; row++) {
    for (let column = 0; column < COARSE_SIZE; column++)
      picture.set(seenAt(scenery, view, coarseUnits(column), coarseUnits(row)), (row * COARSE_SIZE + column) * 3);
  }
  pictures.set(key, picture);
  return picture;
}

/** The colour at a place of the picture, in units, under a view. */
const seenAt = (scenery: Scenery, view: View, x: number, y: number) =>
  sceneryAt(scenery, SIZE / 2 + (x - SIZE / 2) / view.zoom + view.x, SIZE / 2 + (y - SIZE / 2) / view.zoom, SIZE);
