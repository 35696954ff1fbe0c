/**
 * Small normalised pictures of "what differs from the background", so that position and size drop out of a comparison.
 * One is cut from a clip's foreground, the other drawn from a sprite over the same background. Knows neither
 * subjects' names nor motions.
 */
import { type Sprite, spriteLevel } from '../data/sprite.ts';
import { type Blob, blobOf, type Foreground, maskWeight } from './foreground.ts';
import { WORK_SIZE } from './work-copy.ts';

/** Side of a patch, and the extent (square root of the area) that every foreground is brought to in it. */
export const PATCH_SIZE = 32;
const PATCH_EXTENT = 15;

/** A unit-length difference picture [32, 32, 3]. */
export type Patch = Float32Array;

/**
 * A sprite frame as a patch. `centre` is where its square's middle lies from its foreground's centroid, and `extent` the
 * foreground's extent, both for a square of width 1: with them a blob gives the pose that the sprite was drawn in.
 */
export type Template = {
  readonly patch: Patch;
  readonly centre: readonly [x: number, y: number];
  readonly extent: number;
};

/** Background colour by row of a patch, [32, 3]. */
export type PatchBackground = Float32Array;

/** The background that lies behind a blob of the given mean height and extent. */
export function patchBackground(foreground: Foreground, blob: Blob): PatchBackground {
  const rows = new Float32Array(PATCH_SIZE * 3);
  for (let row = 0; row < PATCH_SIZE; row++) {
    const y = blob.y + ((row - (PATCH_SIZE - 1) / 2) * Math.max(1, blob.extent)) / PATCH_EXTENT;
    rows.set(foreground.backgroundAt(Math.min(1, Math.max(0, y / (WORK_SIZE - 1)))), row * 3);
  }
  return rows;
}

/** The foreground of one frame of a clip, cut out around its blob. */
export function patchOf(foreground: Foreground, frame: number): Patch {
  const { x, y, extent } = foreground.blobs[frame]!;
  return unitLength(cutPatch(foreground, frame, { x, y, step: Math.max(1, extent) / PATCH_EXTENT, angle: 0 }));
}

/** Where a patch lies in a working picture: its middle, working pixels per patch pixel, and clockwise turn in radians. */
export type PatchPose = { readonly x: number; readonly y: number; readonly step: number; readonly angle: number };

/** What differs from the background at a pose, [32, 32, 3] in grey levels; 0 outside the picture. */
export function cutPatch({ difference }: Foreground, frame: number, pose: PatchPose): Float32Array {
  const patch = new Float32Array(PATCH_SIZE * PATCH_SIZE * 3);
  const cos = Math.cos(pose.angle) * pose.step;
  const sin = Math.sin(pose.angle) * pose.step;
  const base = frame * WORK_SIZE * WORK_SIZE * 3;
  for (let row = 0; row < PATCH_SIZE; row++) {
    for (let column = 0; column < PATCH_SIZE; column++) {
      const dx = column - (PATCH_SIZE - 1) / 2;
      const dy = row - (PATCH_SIZE - 1) / 2;
      const x = pose.x + dx * cos - dy * sin;
      const y = pose.y + dx * sin + dy * cos;
      if (x < 0 || y < 0 || x >= WORK_SIZE - 1 || y >= WORK_SIZE - 1) continue;
      const ix = Math.floor(x);
      const iy = Math.floor(y);
      const at = base + (iy * WORK_SIZE + ix) * 3;
      const target = (row * PATCH_SIZE + column) * 3;
      for (let channel = 0; channel < 3; channel++) {
        const top = difference[at + channel]! * (1 - x + ix) + difference[at + 3 + channel]! * (x - ix);
        const below = at + WORK_SIZE * 3 + channel;
        const bottom = difference[below]! * (1 - x + ix) + difference[below + 3]! * (x - ix);
        patch[target + channel] = top * (1 - y + iy) + bottom * (y - iy);
      }
    }
  }
  return patch;
}

/**
 * A sprite frame over the background, once for each turn (clockwise radians). The foreground's moments are taken from the
 * upright drawing and turned along, as the background hardly changes over a patch.
 */
export function templatesOf(
  sprite: Sprite,
  frame: number,
  angles: readonly number[],
  background: PatchBackground,
): Template[] {
  const mask = new Float32Array(PATCH_SIZE * PATCH_SIZE);
  const middle = (PATCH_SIZE - 1) / 2;
  const width = PATCH_SIZE * 0.7;
  const upright = difference(sprite, { frame, angle: 0, width, x: middle, y: middle }, background);
  for (let i = 0; i < mask.length; i++) mask[i] = maskWeight(upright[i * 3]!, upright[i * 3 + 1]!, upright[i * 3 + 2]!);
  const blob = blobOf(mask, PATCH_SIZE);
  const extent = Math.max(1, blob.extent) / width;
  const centreX = (middle - blob.x) / width;
  const centreY = (middle - blob.y) / width;
  return angles.map((angle) => {
    const x = centreX * Math.cos(angle) - centreY * Math.sin(angle);
    const y = centreX * Math.sin(angle) + centreY * Math.cos(angle);
    const drawn = PATCH_EXTENT / extent; // the width that brings the foreground to the norm
    const placement = { frame, angle, width: drawn, x: middle + x * drawn, y: middle + y * drawn };
    return { patch: unitLength(difference(sprite, placement, background)), centre: [x, y], extent };
  });
}

/** Likeness of two patches, at most 1. */
export function likeness(a: Patch, b: Patch): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

type Placement = { frame: number; angle: number; width: number; x: number; y: number };

/** A sprite drawn over the background minus that background, [32, 32, 3]. */
function difference(
  sprite: Sprite,
  { frame, angle, width, x, y }: Placement,
  background: PatchBackground,
): Float32Array {
  const { size, pixels } = spriteLevel(sprite, frame, width);
  const out = new Float32Array(PATCH_SIZE * PATCH_SIZE * 3);
  const cos = (Math.cos(angle) * size) / width;
  const sin = (Math.sin(angle) * size) / width;
  const middle = size / 2 - 0.5;
  const line = size * 4;
  for (let row = 0; row < PATCH_SIZE; row++) {
    const red = background[row * 3]!;
    const green = background[row * 3 + 1]!;
    const blue = background[row * 3 + 2]!;
    for (let column = 0; column < PATCH_SIZE; column++) {
      const u = (column - x) * cos + (row - y) * sin + middle;
      const v = -(column - x) * sin + (row - y) * cos + middle;
      if (u < 0 || v < 0 || u >= size - 1 || v >= size - 1) continue;
      const iu = u | 0;
      const iv = v | 0;
      const fu = u - iu;
      const fv = v - iv;
      const a = iv * line + iu * 4;
      const b = a + 4;
      const c = a + line;
      const d = c + 4;
      const wa = (1 - fu) * (1 - fv);
      const wb = fu * (1 - fv);
      const wc = (1 - fu) * fv;
      const wd = fu * fv;
      const alpha = (wa * pixels[a + 3]! + wb * pixels[b + 3]! + wc * pixels[c + 3]! + wd * pixels[d + 3]!) / 255;
      if (alpha === 0) continue;
      const to = (row * PATCH_SIZE + column) * 3;
      out[to] = wa * pixels[a]! + wb * pixels[b]! + wc * pixels[c]! + wd * pixels[d]! - alpha * red;
      out[to + 1] =
        wa * pixels[a + 1]! + wb * pixels[b + 1]! + wc * pixels[c + 1]! + wd * pixels[d + 1]! - alpha * green;
      out[to + 2] =
        wa * pixels[a + 2]! + wb * pixels[b + 2]! + wc * pixels[c + 2]! + wd * pixels[d + 2]! - alpha * blue;
    }
  }
  return out;
}

function unitLength(patch: Patch): Patch {
  let sum = 0;
  for (const value of patch) sum += value * value;
  const length = Math.sqrt(sum);
  if (length > 0) for (let i = 0; i < patch.length; i++) patch[i]! /= length;
  return patch;
}
