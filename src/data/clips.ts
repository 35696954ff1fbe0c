/**
 * Training clips made on the fly: clip i of a seed is a pure function of (seed, i), so a sampler resumes from one integer.
 * Composes scenes, pixels and captions; does not know tensors, batches or models.
 */
import { inputError } from '../errors.ts';
import { seen, viewAt } from './camera.ts';
import { captionOf } from './captions.ts';
import { MOTIONS, poseAt } from './motion.ts';
import { type Random, randomStream } from './random.ts';
import { type SampleOptions, sampleScene } from './sample.ts';
import { ASPECTS, extentOf, type PictureWindow, renderScene, type Scene } from './scene.ts';
import type { World } from './world.ts';

/** One clip: `pixels` is RGB8 [frames, height, width, 3]. */
export type Clip = {
  readonly pixels: Uint8Array;
  readonly frames: number;
  readonly height: number;
  readonly width: number;
  readonly scene: Scene;
  readonly caption: string;
};

/**
 * Clips of `frames` in the aspect that `scenes` names (square, 128 x 128, unless told), enlarged by `scale`; `crop` cuts a
 * random square of that side around the subject; `stills` gives one frame from anywhere in a clip of `frames`. `scenes`
 * restricts what is drawn (by default: trained subjects in triples that are not held out).
 */
export type ClipSamplerOptions = {
  world: World;
  seed: number;
  frames: number;
  scale?: number;
  crop?: number;
  stills?: boolean;
  scenes?: Omit<SampleOptions, 'frames'>;
  /** Subjects and motions in turn, so that every pair of them comes equally often, instead of at random. */
  balanced?: boolean;
};

/** An endless, resumable stream of clips. `state()` is the index of the next one. */
export type ClipSampler = Iterator<Clip, never> & {
  next(): { done: false; value: Clip };
  state(): number;
  restore(index: number): void;
  clip(index: number): Clip;
  /** What clip `index` shows, without drawing it. */
  scene(index: number): Scene;
};

/** A sampler at index 0. @throws StepVideoError `input` on a crop larger than the picture. */
export function clipSampler(options: ClipSamplerOptions): ClipSampler {
  const { world, seed, frames, scale = 1, crop, stills = false } = options;
  const { width, height } = ASPECTS[options.scenes?.aspect ?? 'square'];
  const size = { width: width * scale, height: height * scale };
  const shorter = Math.min(size.width, size.height);
  if (crop !== undefined && crop > shorter) throw inputError('clip sampler', `crop must be at most ${shorter}`, crop);
  let index = 0;
  const ids = world.subjects.flatMap(({ id, role }) => (role === (options.scenes?.role ?? 'trained') ? [id] : []));
  const motions = options.scenes?.motions ?? MOTIONS;
  const sceneFrom = (random: Random, at: number): Scene => {
    const [subject, round] = [at % ids.length, Math.floor(at / ids.length)];
    // Motions change from subject to subject as well, so that a few clips have all of them.
    const turn = options.balanced
      ? { subject: ids[subject]!, motion: motions[(subject + round) % motions.length]! }
      : {};
    return sampleScene(random, world, { ...options.scenes, ...turn, frames });
  };
  const clip = (at: number): Clip => {
    const random = randomStream(seed, at);
    const scene = sceneFrom(random, at);
    // Only the first frame of a centred scene lies on its grid.
    const first = stills && !options.scenes?.centred ? random.integer(frames) : 0;
    const count = stills ? 1 : frames;
    const window = crop === undefined ? undefined : cropAround(random, scene, { first, count, size, crop });
    const pixels = renderScene(world, scene, { frames: count, scale, first, ...(window ? { window } : {}) });
    const caption = captionOf(world, scene, random); // drawn last: pixels do not depend on the wording
    return { pixels, frames: count, height: crop ?? size.height, width: crop ?? size.width, scene, caption };
  };
  return {
    next: () => ({ done: false, value: clip(index++) }),
    state: () => index,
    restore: (to) => {
      index = to;
    },
    clip,
    scene: (at) => sceneFrom(randomStream(seed, at), at),
  };
}

/** A square window whose middle is near the subject's place in the middle of the shown frames. */
function cropAround(
  random: Random,
  scene: Scene,
  { first, count, size, crop }: { first: number; count: number; size: { width: number; height: number }; crop: number },
): PictureWindow {
  const extent = extentOf(scene.aspect);
  const pixels = size.height / extent.height;
  const t = first + (count - 1) / 2;
  const pose = seen(poseAt(scene.motion, scene.start, t, scene.pace), viewAt(scene.camera, t), extent);
  const wander = (pose.width * pixels) / 3; // so that edges of the subject come into small crops as often as its middle
  const corner = (centre: number, side: number): number => {
    const wanted = Math.round(centre * pixels + random.between(-wander, wander) - crop / 2);
    return Math.max(0, Math.min(side - crop, wanted));
  };
  return { x: corner(pose.x, size.width), y: corner(pose.y, size.height), width: crop, height: crop };
}
