/**
 * Draws scenes at random: what is shown, where it starts, so that it stays inside the picture for the clip's length.
 * Deterministic in the random stream it is given. Does not draw pixels or write captions.
 */
import { type Background, COLOUR_NAMES } from './background.ts';
import { MOTIONS, type Motion, type Pose, poseAt } from './motion.ts';
import type { Random } from './random.ts';
import { SCENE_SIZE, type Scene, SIZE_WIDTHS, type SizeName } from './scene.ts';
import { isHeldOut } from './split.ts';
import type { Subject, World } from './world.ts';

/**
 * `frames` is the clip's length (17 unless told), which the start position allows for. Parts that are given are not drawn.
 * `split` keeps to triples that training may see, to those it may not, or takes any.
 */
export type SampleOptions = {
  frames?: number;
  role?: Subject['role'];
  split?: 'train' | 'held-out' | 'any';
  subject?: string;
  background?: Background;
  motion?: Motion;
  size?: SizeName;
  gradients?: number;
};

/** Largest random distance of the path's middle from the picture's, in pixels of 128. */
const JITTER = 20;

/** How far a sprite's square may leave the picture: its own margin is about this wide. */
const OVERHANG = 4;

/** Share of gradients among drawn backgrounds. */
const GRADIENT_SHARE = 0.15;

/** One scene. `random` advances by as many numbers as the draw needs, held-out triples being drawn again. */
export function sampleScene(random: Random, world: World, options: SampleOptions = {}): Scene {
  const { frames = 17, role = 'trained', split = 'train' } = options;
  const ids = world.subjects.filter((subject) => subject.role === role).map((subject) => subject.id);
  for (;;) {
    const subject = options.subject ?? random.pick(ids);
    const background = options.background ?? sampleBackground(random, options.gradients ?? GRADIENT_SHARE);
    const motion = options.motion ?? random.pick(MOTIONS);
    const heldOut = isHeldOut({ subject, background, motion });
    const fixed = options.subject !== undefined && options.background !== undefined && options.motion !== undefined;
    if (!fixed && split !== 'any' && heldOut !== (split === 'held-out')) continue;
    const size = options.size ?? sampleSize(random);
    return {
      subject,
      background,
      motion,
      size,
      start: sampleStart(random, motion, SIZE_WIDTHS[size], frames),
      phase: random.integer(world.sprite(subject).frames),
    };
  }
}

function sampleBackground(random: Random, gradients: number): Background {
  const colour = random.pick(COLOUR_NAMES);
  if (random.uniform() >= gradients) return colour;
  const others = COLOUR_NAMES.filter((other) => other !== colour);
  return `${colour}>${random.pick(others)}`;
}

function sampleSize(random: Random): SizeName {
  const draw = random.uniform();
  return draw < 0.06 ? 'small' : draw < 0.5 ? 'medium' : 'large';
}

/** A start whose path over `frames` is centred in the picture up to jitter, and leaves it as little as can be. */
function sampleStart(random: Random, motion: Motion, width: number, frames: number): Pose {
  const origin: Pose = { x: 0, y: 0, width: 1, angle: 0 };
  const path = Array.from({ length: frames }, (_, t) => poseAt(motion, origin, t));
  const widths = path.map((pose) => pose.width);
  // Growing and shrinking pass through the named width in the middle of the clip, geometrically.
  const startWidth = width / Math.sqrt(Math.min(...widths) * Math.max(...widths));
  const reach = (startWidth * Math.max(...widths)) / 2 - OVERHANG;
  const place = (along: readonly number[]): number => {
    const low = Math.min(...along);
    const high = Math.max(...along);
    const room = Math.max(0, SCENE_SIZE / 2 - reach - (high - low) / 2);
    const jitter = Math.min(JITTER, room);
    return SCENE_SIZE / 2 + random.between(-jitter, jitter) - (low + high) / 2;
  };
  const x = place(path.map((pose) => pose.x));
  const y = place(path.map((pose) => pose.y));
  return { x, y, width: startWidth, angle: 0 };
}
