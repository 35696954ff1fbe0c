/**
 * Reads a clip (background, camera, subjects, motion, how steady it is) and holds that against what its prompt asked for.
 * Compares with the sprites, sceneries and trajectories that clips are made of; nothing is learned, so nothing can be
 * overfitted. Does not generate, and does not know which model made the clip.
 */
import type { Background } from '../data/background.ts';
import type { Camera } from '../data/camera.ts';
import { MOTIONS, type Motion } from '../data/motion.ts';
import type { Scene } from '../data/scene.ts';
import type { World } from '../data/world.ts';
import { inputError } from '../errors.ts';
import { type Flicker, flickerOf } from './flicker.ts';
import { separate } from './foreground.ts';
import { fitMotions } from './motion-fit.ts';
import { readPair } from './pair-split.ts';
import { bestMatch, FEW_POSES, likenessTable, refined, trainedSubjects } from './subject-match.ts';
import { framesAlong } from './work-copy.ts';

/** What the scorer sees in a clip. */
export type Reading = {
  readonly background: Background;
  readonly camera: Camera;
  /** The trained subject that the whole clip looks like most. */
  readonly subject: string;
  /** Mean likeness of the frames to it, at most 1: about .9 for real clips, lower for mush. */
  readonly likeness: number;
  /** Where there are two: side by side (`x`) or one above the other (`y`); left or upper first. */
  readonly pair?: { readonly axis: 'x' | 'y'; readonly subjects: readonly [string, string] };
  readonly motion: Motion;
  /** Of the motion, 1 being the data's own. */
  readonly pace: number;
  /** Root mean square distance of the subject from the motion's path, units of 128. */
  readonly roughness: number;
  /** Whether first and last frame, each taken alone, look like the same subject most. */
  readonly identity: boolean;
  /** Under a camera that stands still. */
  readonly flicker?: Flicker;
};

/** What was asked for: one subject unless a second is named, a still camera unless another is. */
export type Expected = Pick<Scene, 'subject' | 'background' | 'motion'> & Partial<Pick<Scene, 'camera' | 'second'>>;

/** Which parts of an expectation a reading meets. `place` is whether two subjects stand as asked; true where one was. */
export type Verdict = {
  readonly subject: boolean;
  readonly background: boolean;
  readonly motion: boolean;
  readonly camera: boolean;
  readonly count: boolean;
  readonly place: boolean;
};

/** Frames that subjects are recognised in; the first and the last are among them. */
const LOOKS = 9;

/** Of those, the ones that tell one subject from two: before a spin goes further than few poses reach. */
const PAIR_LOOKS = [0, 2, 4];

/** Two halves must look this much more like subjects than the whole does. */
const PAIR_MARGIN = 0.04;

/**
 * Reads RGB8 frames [frames, height, width, 3] of 12 frames/s; `motions` are those to choose from. 17 frames show every
 * motion, 34 show it clearly.
 * @throws StepVideoError `input` when the byte count is not a whole number of frames, or there is only one frame.
 */
export function readClip(
  world: World,
  pixels: Uint8Array,
  size: { width: number; height: number },
  motions: readonly Motion[] = MOTIONS,
): Reading {
  const bytes = size.width * size.height * 3;
  if (pixels.length === 0 || pixels.length % bytes !== 0) {
    throw inputError('score', `clip must hold whole frames of ${bytes} bytes`, pixels.length);
  }
  if (pixels.length < 2 * bytes) throw inputError('score', 'motion needs at least two frames', 1);
  const foreground = separate(pixels, size);
  const looks = framesAlong(foreground.frames, LOOKS);
  const asked = { frames: looks, subjects: trainedSubjects(world), poses: FEW_POSES };
  const rough = likenessTable(world, foreground, asked);
  const table = refined(world, foreground, { rough, frames: looks });
  const whole = bestMatch(table);
  const places = PAIR_LOOKS.filter((place) => place < looks.length);
  const pair = readPair(
    world,
    foreground,
    places.map((place) => looks[place]!),
  );
  const isPair = pair.likeness > bestMatch(rough, places).likeness + PAIR_MARGIN;
  const followed = isPair ? { foreground: pair.first, subject: pair.subjects[0] } : { foreground, ...whole };
  const [fit] = fitMotions(world, followed.foreground, followed.subject, motions);
  const { background, camera } = foreground;
  const { axis, subjects } = pair;
  const first = bestMatch(table, [0]).subject;
  const last = bestMatch(table, [looks.length - 1]).subject;
  return {
    ...{ background, camera, ...whole, ...(isPair && { pair: { axis, subjects } }) },
    ...{ motion: fit!.motion, pace: fit!.pace, roughness: fit!.roughness, identity: first === last },
    ...(camera === 'static' && { flicker: flickerOf(pixels, size, foreground, fit!.poses) }),
  };
}

/** Holds a reading against an expectation. */
export function judge(reading: Reading, expected: Expected): Verdict {
  const { second } = expected;
  const { pair } = reading;
  const asked = second && inOrder(expected.subject, second);
  const isAsked = (subjects: readonly string[]) => subjects.join() === asked?.subjects.join();
  return {
    subject: asked
      ? pair !== undefined && (isAsked(pair.subjects) || isAsked([...pair.subjects].reverse()))
      : reading.subject === expected.subject,
    background: reading.background === expected.background,
    motion: reading.motion === expected.motion,
    camera: reading.camera === (expected.camera ?? 'static'),
    count: (pair === undefined) === (second === undefined),
    place: !asked || (pair !== undefined && pair.axis === asked.axis && isAsked(pair.subjects)),
  };
}

/** Two subjects as a reading lists them. */
function inOrder(subject: string, second: NonNullable<Scene['second']>): { axis: 'x' | 'y'; subjects: string[] } {
  const { place, subject: other } = second;
  const axis = place === 'left' || place === 'right' ? 'x' : 'y';
  return { axis, subjects: place === 'left' || place === 'above' ? [other, subject] : [subject, other] };
}
