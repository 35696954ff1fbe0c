/**
 * Draws scenes at random: what is shown, where it starts, so that it stays inside the picture for the clip's length.
 * Deterministic in the random stream it is given. Does not draw pixels or write captions.
 */
import { type Background, COLOUR_NAMES } from './background.ts';
import { CAMERAS, type Camera, seen, viewAt } from './camera.ts';
import { MOTIONS, type Motion, type Pose, poseAt, SPEED_PACES, type Speed } from './motion.ts';
import type { Random } from './random.ts';
import { type Aspect, extentOf, PLACES, type Place, type Scene, SIZE_WIDTHS, type SizeName } from './scene.ts';
import { SCENERIES } from './scenery.ts';
import { isHeldOut } from './split.ts';
import type { Subject, World } from './world.ts';

/** How often the rarer things are drawn, as shares of all scenes. */
export type Mix = {
  readonly gradients: number;
  readonly sceneries: number;
  /** Of scenes with a scenery: those with a camera move. */
  readonly cameras: number;
  readonly pairs: number;
  /** Slow and fast together, half each, of scenes that move. */
  readonly speeds: number;
};

/** The mix of training scenes. */
export const TRAINING_MIX: Mix = { gradients: 0.12, sceneries: 0.2, cameras: 0.5, pairs: 0.12, speeds: 0.3 };

/** One subject on a plain colour, at the usual speed. */
export const PLAIN_MIX: Mix = { gradients: 0, sceneries: 0, cameras: 0, pairs: 0, speeds: 0 };

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
  /** Only these motions are drawn; of two subjects those that pairs can have. All of them unless told. */
  motions?: readonly Motion[];
  size?: SizeName;
  speed?: Speed;
  camera?: Camera;
  aspect?: Aspect;
  mix?: Partial<Mix>;
  /** Only scenes whose subjects stay inside the picture, but for their margin, for the whole clip. */
  inside?: boolean;
  /**
   * Subjects start at the beginning of their animation, and where their path is centred in the picture up to the VAE's grid of
   * places: one pose for each size and motion, so far less to learn, since latents of a subject depend on where in a place it lies.
   */
  centred?: boolean;
};

/** Largest random distance of the path's middle from the picture's, in units. */
const JITTER = 20;

/** Of centred starts: a place of the VAE, in units of the square picture. */
const GRID = 16;

/** How far a sprite's square may leave the picture: its own margin is about this wide. */
const OVERHANG = 4;

/** The same where a scene need not stay inside: what travels while the camera moves wants more room than there is. */
const LARGEST_OVERHANG = 60;

/** From this length on, travelling, growing and turning take as long as the clip, so that subjects stay in sight. */
const FULL_PACE_FRAMES = 34;

/** Motions of scenes with two subjects: the others need the room that the second one takes. */
const PAIR_MOTIONS = ['still', 'left', 'right', 'up', 'down', 'bounce', 'spin', 'shake'] as const satisfies Motion[];

/** Whether scenes with two subjects have this motion. */
export const isPairMotion = (motion: Motion): boolean => (PAIR_MOTIONS as readonly Motion[]).includes(motion);

/** Width of each subject of a pair, and the distance between their middles, in units. */
const PAIR_WIDTH = 50;
const PAIR_DISTANCE = 54;

/** Draws after which a scene is taken that leaves the picture: some parts that are given never fit. */
const INSIDE_DRAWS = 20;

/** One scene. `random` advances by as many numbers as the draw needs, held-out triples being drawn again. */
export function sampleScene(random: Random, world: World, options: SampleOptions = {}): Scene {
  let scene = drawScene(random, world, options);
  const most = options.inside ? OVERHANG + 0.01 : LARGEST_OVERHANG;
  for (let i = 0; i < INSIDE_DRAWS && overhang(scene, options.frames ?? 17) > most; i++)
    scene = drawScene(random, world, options);
  return scene;
}

/** How far the squares of a scene's sprites leave the picture at most within `frames`, in units; negative where they never touch it. */
export function overhang({ second, ...scene }: Scene, frames: number): number {
  const extent = extentOf(scene.aspect);
  let most = Number.NEGATIVE_INFINITY;
  for (const { start } of second ? [scene, second] : [scene])
    for (let t = 0; t < frames; t++) {
      const pose = seen(poseAt(scene.motion, start, t, scene.pace), viewAt(scene.camera, t), extent);
      const beyond = (at: number, side: number): number => Math.abs(at - side / 2) + pose.width / 2 - side / 2;
      most = Math.max(most, beyond(pose.x, extent.width), beyond(pose.y, extent.height));
    }
  return most;
}

function drawScene(random: Random, world: World, options: SampleOptions): Scene {
  const { frames = 17, role = 'trained', split = 'train', aspect = 'square' } = options;
  const mix = { ...TRAINING_MIX, ...options.mix };
  const ids = world.subjects.filter((subject) => subject.role === role).map((subject) => subject.id);
  const { motions = MOTIONS } = options;
  const inPairs = motions.filter(isPairMotion);
  const draw = () => {
    const subject = options.subject ?? random.pick(ids);
    const isPair = options.size === undefined && ids.length > 1 && random.uniform() < mix.pairs;
    const background = options.background ?? sampleBackground(random, mix);
    const motion = options.motion ?? random.pick(isPair && inPairs.length > 0 ? inPairs : motions);
    return { subject, background, motion, isPair };
  };
  const fixed = options.subject !== undefined && options.background !== undefined && options.motion !== undefined;
  let drawn = draw();
  while (!fixed && split !== 'any' && isHeldOut(drawn) !== (split === 'held-out')) drawn = draw();

  const { subject, background, motion } = drawn;
  const isPair = drawn.isPair && isPairMotion(motion);
  const scenery = (SCENERIES as readonly string[]).includes(background);
  const camera =
    options.camera ?? (scenery && random.uniform() < mix.cameras ? random.pick(CAMERAS.slice(1)) : 'static');
  const speed = options.speed ?? (motion === 'still' ? 'normal' : sampleSpeed(random, mix.speeds));
  const size = isPair ? 'medium' : (options.size ?? sampleSize(random));
  const isRepeated = motion === 'bounce' || motion === 'shake' || motion === 'circle';
  const pace = SPEED_PACES[speed] * (isRepeated ? 1 : Math.min(1, FULL_PACE_FRAMES / frames));
  const place = isPair ? random.pick(PLACES) : undefined;
  const path = { motion, pace, camera: { camera, aspect }, frames };
  const { centred = false } = options;
  const phaseOf = (id: string): number => (centred ? 0 : random.integer(world.sprite(id).frames));
  const phase = phaseOf(subject);
  const start = sampleStart(random, path, { width: isPair ? PAIR_WIDTH : SIZE_WIDTHS[size], place, centred });
  const scene: Scene = { subject, background, motion, size, speed, pace, camera, aspect, start, phase };
  if (place === undefined) return scene;
  const other = random.pick(ids.filter((id) => id !== subject));
  const [dx, dy] = STEPS[place];
  const apart = pairDistance(start.width);
  const beside = { ...start, x: start.x + dx * apart, y: start.y + dy * apart };
  return {
    ...scene,
    second: { subject: other, place, start: beside, phase: phaseOf(other) },
  };
}

/** Distance of a pair that starts `width` wide: a camera that zooms shows both widths and distances larger or smaller. */
const pairDistance = (width: number): number => (PAIR_DISTANCE * width) / PAIR_WIDTH;

/** Direction of each place, y down. */
const STEPS: Readonly<Record<Place, readonly [number, number]>> = {
  left: [-1, 0],
  right: [1, 0],
  above: [0, -1],
  below: [0, 1],
};

function sampleBackground(random: Random, { gradients, sceneries }: Mix): Background {
  const kind = random.uniform();
  if (kind < sceneries) return random.pick(SCENERIES);
  const colour = random.pick(COLOUR_NAMES);
  if (kind >= sceneries + gradients) return colour;
  const others = COLOUR_NAMES.filter((other) => other !== colour);
  return `${colour}>${random.pick(others)}`;
}

function sampleSize(random: Random): SizeName {
  const draw = random.uniform();
  return draw < 0.1 ? 'small' : draw < 0.5 ? 'medium' : 'large';
}

function sampleSpeed(random: Random, share: number): Speed {
  const draw = random.uniform();
  return draw < share / 2 ? 'slow' : draw < share ? 'fast' : 'normal';
}

type Path = {
  readonly motion: Motion;
  readonly pace: number;
  readonly camera: { readonly camera: Camera; readonly aspect: Aspect };
  readonly frames: number;
};

/** A start whose path as the camera sees it is centred in the picture up to jitter, and leaves it as little as can be. */
function sampleStart(
  random: Random,
  { motion, pace, camera: { camera, aspect }, frames }: Path,
  { width, place, centred }: { width: number; place: Place | undefined; centred: boolean },
): Pose {
  const extent = extentOf(aspect);
  const middle = { x: extent.width / 2, y: extent.height / 2 };
  const origin: Pose = { ...middle, width: 1, angle: 0 };
  const path = Array.from({ length: frames }, (_, t) =>
    seen(poseAt(motion, origin, t, pace), viewAt(camera, t), extent),
  );
  const widths = path.map((pose) => pose.width);
  // Growing and shrinking pass through the named width in the middle of the clip, geometrically.
  const startWidth = width / Math.sqrt(Math.min(...widths) * Math.max(...widths));
  const reach = (startWidth * Math.max(...widths)) / 2 - OVERHANG;
  const [dx, dy] = place ? STEPS[place] : [0, 0];
  const put = (along: readonly number[], side: number, step: number): number => {
    const offsets = along.map((value) => value - side / 2);
    const second = step * pairDistance(startWidth);
    const low = Math.min(...offsets) + Math.min(0, second);
    const high = Math.max(...offsets) + Math.max(0, second);
    const offset = -(low + high) / 2;
    if (centred) return side / 2 + GRID * Math.round(offset / GRID);
    const room = Math.max(0, side / 2 - reach - (high - low) / 2);
    const jitter = Math.min(JITTER, room);
    return side / 2 + random.between(-jitter, jitter) + offset;
  };
  const x = put(
    path.map((pose) => pose.x),
    extent.width,
    dx,
  );
  const y = put(
    path.map((pose) => pose.y),
    extent.height,
    dy,
  );
  return { x, y, width: startWidth, angle: 0 };
}
