/**
 * Flicker: what changes from frame to frame and back, so that it is neither motion nor a slow change of light.
 *
 *   F² = (1 - a) · B² + a · S²,   each of B², S² the mean of (x[t-1] - 2 x[t] + x[t+1])² / 6
 *
 * in grey levels: noise that is new in each frame with standard deviation σ gives F = σ. B is taken over pixels that no
 * subject comes near in the three frames; S over the subject, each frame being cut out at the pose that was read off it, so
 * that motion drops out and the sprite's own animation stays; a is the subject's share of the picture. Real clips have B = 0
 * and S from their animation, so the yardstick is what a VAE makes of them. Does not know subjects.
 */
import type { Pose } from '../data/motion.ts';
import { type Foreground, maskWeight } from './foreground.ts';
import { cutPatch, PATCH_SIZE } from './template.ts';
import { WORK_SIZE } from './work-copy.ts';

/** Grey levels: `all` is F, `background` B, `subject` S. */
export type Flicker = { readonly all: number; readonly background: number; readonly subject: number };

/** How far from a subject background begins, in working pixels. */
const CLEARANCE = 2;

/** Pixels of a patch that belong to the subject. */
const SUBJECT_WEIGHT = 0.5;

/** Flicker of RGB8 [frames, height, width, 3] under a camera that stands still; all 0 with fewer than three frames. */
export function flickerOf(
  pixels: Uint8Array,
  { width, height }: { width: number; height: number },
  foreground: Foreground,
  poses: readonly Pose[],
): Flicker {
  const behind = backgroundEnergy(pixels, { width, height }, foreground);
  const before = subjectEnergy(foreground, poses);
  const area = foreground.blobs.reduce((sum, { extent }) => sum + extent ** 2, 0) / foreground.frames;
  const share = Math.min(1, area / WORK_SIZE ** 2);
  return {
    all: Math.sqrt((1 - share) * behind + share * before),
    background: Math.sqrt(behind),
    subject: Math.sqrt(before),
  };
}

function backgroundEnergy(
  pixels: Uint8Array,
  { width, height }: { width: number; height: number },
  foreground: Foreground,
): number {
  const { frames, mask } = foreground;
  const plane = WORK_SIZE * WORK_SIZE;
  const near = Array.from({ length: frames }, (_, frame) => spread(mask.subarray(frame * plane, (frame + 1) * plane)));
  const frameBytes = width * height * 3;
  let sum = 0;
  let count = 0;
  for (let t = 1; t < frames - 1; t++) {
    for (let y = 0; y < height; y++) {
      const row = Math.floor((y * WORK_SIZE) / height) * WORK_SIZE;
      for (let x = 0; x < width; x++) {
        const at = row + Math.floor((x * WORK_SIZE) / width);
        if (near[t - 1]![at] || near[t]![at] || near[t + 1]![at]) continue;
        const pixel = t * frameBytes + (y * width + x) * 3;
        for (let i = pixel; i < pixel + 3; i++)
          sum += (pixels[i - frameBytes]! - 2 * pixels[i]! + pixels[i + frameBytes]!) ** 2;
        count += 3;
      }
    }
  }
  return count === 0 ? 0 : sum / count / 6;
}

/** 1 where anything of a mask [64, 64] is within the clearance. */
function spread(mask: Float32Array): Uint8Array {
  const out = new Uint8Array(mask.length);
  for (let i = 0; i < mask.length; i++) {
    if (mask[i] === 0) continue;
    const x = i % WORK_SIZE;
    const y = Math.floor(i / WORK_SIZE);
    const left = Math.max(0, x - CLEARANCE);
    const right = Math.min(WORK_SIZE, x + CLEARANCE + 1);
    for (let row = Math.max(0, y - CLEARANCE); row < Math.min(WORK_SIZE, y + CLEARANCE + 1); row++)
      out.fill(1, row * WORK_SIZE + left, row * WORK_SIZE + right);
  }
  return out;
}

function subjectEnergy(foreground: Foreground, poses: readonly Pose[]): number {
  const patches = poses.map(({ x, y, width, angle }, t) =>
    cutPatch(foreground, t, { x, y, step: width / PATCH_SIZE, angle }),
  );
  let sum = 0;
  let count = 0;
  for (let t = 1; t < patches.length - 1; t++) {
    const [before, now, after] = [patches[t - 1]!, patches[t]!, patches[t + 1]!];
    for (let i = 0; i < now.length; i += 3) {
      if (maskWeight(now[i]!, now[i + 1]!, now[i + 2]!) < SUBJECT_WEIGHT) continue;
      for (let c = i; c < i + 3; c++) sum += (before[c]! - 2 * now[c]! + after[c]!) ** 2;
      count += 3;
    }
  }
  return count === 0 ? 0 : sum / count / 6;
}
