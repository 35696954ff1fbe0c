/**
 * Which of the nine motions explains a clip best: the subject's pose is read off each frame with the subject's own sprite,
 * then every motion's trajectory is fitted with a free start. Does not decide which subject it is.
 */
import { MOTIONS, type Motion, poseAt, TURN_PER_FRAME } from '../data/motion.ts';
import { SCENE_SIZE } from '../data/scene.ts';
import type { World } from '../data/world.ts';
import { type Foreground, WORK_SIZE } from './foreground.ts';
import { meanBlob } from './subject-match.ts';
import { likeness, patchBackground, patchOf, type Template, templatesOf } from './template.ts';

/** A motion and how badly it fits: squared deviations in units of what reading errors amount to, per frame. */
export type MotionFit = { readonly motion: Motion; readonly misfit: number };

/** Deviations that count as one: pixels of 128, relative width, and loss of likeness from a wrong turn. */
const POSITION_ERROR = 4;
const WIDTH_ERROR = 0.07;
const LIKENESS_ERROR = 0.04;

/** Turns per frame that count as spinning, relative to the scene's own rate, either way round. */
const SPIN_RATES = [0.5, 0.75, 1, 1.25, -0.5, -0.75, -1, -1.25];

/** Animation frames tried per picture. */
const TRIED_FRAMES = 12;

/** Turns are told apart in steps of 3 degrees. */
const TURN_STEPS = 120;
const TURN_STEP = (2 * Math.PI) / TURN_STEPS;

type Reading = { readonly x: number; readonly y: number; readonly logWidth: number };

/** What each turn per frame makes of the clip: poses of the sprite's square, and how alike the pictures are. */
type Track = { readonly readings: readonly Reading[]; readonly likeness: number };

/** All nine motions, best first. */
export function fitMotions(world: World, foreground: Foreground, subject: string): MotionFit[] {
  const track = tracker(world, foreground, subject);
  const upright = track(0);
  const spun = SPIN_RATES.map((rate) => track(rate * TURN_PER_FRAME)).reduce((best, next) =>
    next.likeness > best.likeness ? next : best,
  );
  const best = Math.max(upright.likeness, spun.likeness);
  const fits = MOTIONS.map((motion) => {
    const { readings, likeness: alike } = motion === 'spin' ? spun : upright;
    return { motion, misfit: trajectoryMisfit(motion, readings) + ((best - alike) / LIKENESS_ERROR) ** 2 };
  });
  return fits.sort((a, b) => a.misfit - b.misfit);
}

/** Mean squared deviation of the readings from a motion's trajectory, at its best start. */
function trajectoryMisfit(motion: Motion, readings: readonly Reading[]): number {
  const origin = { x: 0, y: 0, width: 1, angle: 0 };
  const path = readings.map((_, t) => poseAt(motion, origin, t));
  const spread = (residuals: readonly number[]) => {
    const mean = residuals.reduce((sum, value) => sum + value, 0) / residuals.length;
    return residuals.reduce((sum, value) => sum + (value - mean) ** 2, 0) / residuals.length;
  };
  const x = spread(readings.map((reading, t) => reading.x - path[t]!.x));
  const y = spread(readings.map((reading, t) => reading.y - path[t]!.y));
  const width = spread(readings.map((reading, t) => reading.logWidth - Math.log(path[t]!.width)));
  return (x + y) / POSITION_ERROR ** 2 + width / WIDTH_ERROR ** 2;
}

/** A function that follows the subject through the clip while assuming that it turns by `rate` radians a frame. */
function tracker(world: World, foreground: Foreground, subject: string): (rate: number) => Track {
  const sprite = world.sprite(subject);
  const background = patchBackground(foreground, meanBlob(foreground.blobs));
  const count = Math.min(TRIED_FRAMES, sprite.frames);
  const animation = Array.from({ length: count }, (_, i) => Math.floor((i * sprite.frames) / count));
  // [animation frame][turn]: every turn in steps of 3 degrees, finer ones look alike at this size.
  const fastest = Math.max(...SPIN_RATES.map(Math.abs)) * TURN_PER_FRAME * (foreground.frames - 1);
  const steps = Math.min(TURN_STEPS / 2, Math.ceil(fastest / TURN_STEP));
  const turns = Array.from({ length: 2 * steps + 1 }, (_, i) => (i - steps) * TURN_STEP);
  const templates = animation.map((frame) => templatesOf(sprite, frame, turns, background));
  const templatesAt = (angle: number): Template[] => {
    const step = Math.round(angle / TURN_STEP);
    const wrapped =
      steps * 2 < TURN_STEPS
        ? step
        : ((((step + TURN_STEPS / 2) % TURN_STEPS) + TURN_STEPS) % TURN_STEPS) - TURN_STEPS / 2;
    return templates.map((row) => row[wrapped + steps]!);
  };
  const patches = Array.from({ length: foreground.frames }, (_, frame) => patchOf(foreground, frame));
  return (rate) => {
    let sum = 0;
    const readings = patches.map((patch, frame) => {
      const candidates = templatesAt(rate * frame);
      const scores = candidates.map((template) => likeness(patch, template.patch));
      const best = Math.max(...scores);
      sum += best;
      return readPose(foreground, frame, candidates[scores.indexOf(best)]!);
    });
    return { readings, likeness: sum / patches.length };
  };
}

/** The pose of the sprite's square in one frame, in pixels of 128. */
function readPose(foreground: Foreground, frame: number, template: Template): Reading {
  const blob = foreground.blobs[frame]!;
  const scale = SCENE_SIZE / WORK_SIZE;
  const width = Math.max(1, blob.extent) / template.extent;
  return {
    x: (blob.x + template.centre[0] * width) * scale,
    y: (blob.y + template.centre[1] * width) * scale,
    logWidth: Math.log(width),
  };
}
