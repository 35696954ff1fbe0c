/**
 * Which motion explains a clip best: the subject's pose is read off each frame with the subject's own sprite, then every
 * motion's trajectory is fitted with a free start and a free pace. Does not decide which subject it is.
 */
import type { View } from '../data/camera.ts';
import { MOTIONS, type Motion, type Pose, poseAt, TURN_PER_FRAME } from '../data/motion.ts';
import { SCENE_SIZE } from '../data/scene.ts';
import type { World } from '../data/world.ts';
import type { Foreground } from './foreground.ts';
import { meanBlob } from './subject-match.ts';
import { likeness, patchBackground, patchOf, type Template, templatesOf } from './template.ts';
import { WORK_SIZE } from './work-copy.ts';

/**
 * A motion and how badly it fits: squared deviations in units of what reading errors amount to, per frame. `pace` is that of
 * the best fit (0: still), `roughness` how far positions stray from its path, root mean square in units of 128.
 */
export type MotionFit = {
  readonly motion: Motion;
  readonly misfit: number;
  readonly pace: number;
  readonly roughness: number;
  /** The sprite's square in each frame of the picture, in working pixels. */
  readonly poses: readonly Pose[];
};

/** Deviations that count as one: units of 128, relative width, and loss of likeness from a wrong turn. */
const POSITION_ERROR = 4;
const WIDTH_ERROR = 0.07;
const LIKENESS_ERROR = 0.04;

/** Paces that are tried for clips of up to 34 frames; in longer ones motions may take as long as the clip, but for those that repeat. */
const SLOWEST = 0.45;
const SLOWEST_REPEATED = 0.55;
const REPEATED: readonly Motion[] = ['bounce', 'circle', 'shake'];
const FASTEST = 2;
const PACES = 24;
const FULL_PACE_FRAMES = 34;

/** A subject still looks like itself when the last frame is turned this far from where it should be. */
const TURN_SLACK = (24 * Math.PI) / 180;

/** Animation frames tried per picture. */
const TRIED_FRAMES = 12;

/** Turns are told apart in steps of 3 degrees. */
const TURN_STEPS = 120;
const TURN_STEP = (2 * Math.PI) / TURN_STEPS;

/** What a turn of `rate` radians a frame makes of the clip: poses of the sprite's square, and how alike the pictures are. */
type Track = { readonly rate: number; readonly poses: readonly Pose[]; readonly likeness: number };

/** The given motions, best first. */
export function fitMotions(
  world: World,
  foreground: Foreground,
  subject: string,
  motions: readonly Motion[] = MOTIONS,
): MotionFit[] {
  const track = tracker(world, foreground, subject);
  const slowest = SLOWEST * Math.min(1, FULL_PACE_FRAMES / foreground.frames);
  const upright = track(0);
  const spun = fastestLikeness(track, slowest * TURN_PER_FRAME, foreground.frames);
  const best = Math.max(upright.likeness, spun.likeness);
  const fits = motions.map((motion): MotionFit => {
    const { rate, poses, likeness: alike } = motion === 'spin' ? spun : upright;
    const path = bestPath(
      motion,
      onPlane(poses, foreground.views),
      REPEATED.includes(motion) ? SLOWEST_REPEATED : slowest,
    );
    const pace = motion === 'spin' ? Math.abs(rate) / TURN_PER_FRAME : path.pace;
    return { ...path, motion, pace, poses, misfit: path.misfit + ((best - alike) / LIKENESS_ERROR) ** 2 };
  });
  return fits.sort((a, b) => a.misfit - b.misfit);
}

/** The turning track that looks most like the subject, either way round: rates on a grid, then between its points. */
function fastestLikeness(track: (rate: number) => Track, slowest: number, frames: number): Track {
  const fastest = FASTEST * TURN_PER_FRAME;
  const count = Math.ceil(((fastest - slowest) * Math.max(1, frames - 1)) / TURN_SLACK) + 1;
  const step = (fastest - slowest) / Math.max(1, count - 1);
  const rates = Array.from({ length: count }, (_, i) => slowest + i * step);
  const better = (a: Track, b: Track) => (b.likeness > a.likeness ? b : a);
  let best = rates.flatMap((rate) => [track(rate), track(-rate)]).reduce(better);
  for (const share of [1 / 2, 1 / 4]) {
    const { rate } = best;
    best = [rate - share * step, rate + share * step].map(track).reduce(better, best);
  }
  return best;
}

/** Poses in the picture → on the scene's plane, positions in units of 128. */
function onPlane(poses: readonly Pose[], views: readonly View[]): Pose[] {
  const scale = SCENE_SIZE / WORK_SIZE;
  return poses.map((pose, t) => {
    const { x, zoom } = views[t]!;
    return {
      ...pose,
      x: SCENE_SIZE / 2 + ((pose.x + 0.5) * scale - SCENE_SIZE / 2) / zoom + x,
      y: SCENE_SIZE / 2 + ((pose.y + 0.5) * scale - SCENE_SIZE / 2) / zoom,
      width: pose.width / zoom,
    };
  });
}

/** A motion's path at its best start and pace. */
function bestPath(motion: Motion, poses: readonly Pose[], slowest: number) {
  const moves = motion !== 'still' && motion !== 'spin';
  const paces = moves
    ? Array.from({ length: PACES }, (_, i) => slowest * (FASTEST / slowest) ** (i / (PACES - 1)))
    : [0];
  return paces
    .map((pace) => ({ pace, ...deviation(motion, poses, pace) }))
    .reduce((best, next) => (next.misfit < best.misfit ? next : best));
}

function deviation(motion: Motion, poses: readonly Pose[], pace: number): { misfit: number; roughness: number } {
  const origin = { x: 0, y: 0, width: 1, angle: 0 };
  const path = poses.map((_, t) => poseAt(motion, origin, t, pace));
  const x = variance(poses.map((pose, t) => pose.x - path[t]!.x));
  const y = variance(poses.map((pose, t) => pose.y - path[t]!.y));
  const width = variance(poses.map((pose, t) => Math.log(pose.width / path[t]!.width)));
  return { misfit: (x + y) / POSITION_ERROR ** 2 + width / WIDTH_ERROR ** 2, roughness: Math.sqrt(x + y) };
}

function variance(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
}

/** A function that follows the subject through the clip while assuming that it turns by `rate` radians a frame. */
function tracker(world: World, foreground: Foreground, subject: string): (rate: number) => Track {
  const sprite = world.sprite(subject);
  const background = patchBackground(foreground, meanBlob(foreground.blobs));
  const count = Math.min(TRIED_FRAMES, sprite.frames);
  const animation = Array.from({ length: count }, (_, i) => Math.floor((i * sprite.frames) / count));
  const turns = Array.from({ length: TURN_STEPS }, (_, i) => i * TURN_STEP);
  const templates = animation.map((frame) => templatesOf(sprite, frame, turns, background));
  const patches = Array.from({ length: foreground.frames }, (_, frame) => patchOf(foreground, frame));
  return (rate) => {
    let sum = 0;
    const poses = patches.map((patch, frame) => {
      const turn = ((Math.round((rate * frame) / TURN_STEP) % TURN_STEPS) + TURN_STEPS) % TURN_STEPS;
      let best = templates[0]![turn]!;
      let bestLikeness = Number.NEGATIVE_INFINITY;
      for (const row of templates) {
        const its = likeness(patch, row[turn]!.patch);
        if (its > bestLikeness) [best, bestLikeness] = [row[turn]!, its];
      }
      sum += bestLikeness;
      return readPose(foreground, frame, best, rate * frame);
    });
    return { rate, poses, likeness: sum / patches.length };
  };
}

/** The pose of the sprite's square in one frame, in working pixels. */
function readPose(foreground: Foreground, frame: number, template: Template, angle: number): Pose {
  const blob = foreground.blobs[frame]!;
  const width = Math.max(1, blob.extent) / template.extent;
  return { x: blob.x + template.centre[0] * width, y: blob.y + template.centre[1] * width, width, angle };
}
