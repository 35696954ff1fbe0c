/**
 * The motions: where a subject is, how large and how turned, at each frame.
 * Rates are per frame and do not depend on the clip's length, so a short prefix shows the same motion as a long clip; `pace`
 * multiplies them. Slow enough for a VAE that keeps one latent frame of eight: at pace 1, 46 px, 165° or a factor of 1.8 in 34 frames.
 */

/** Every motion. `bounce` hops and lands every 16 frames; `spin` and `circle` go clockwise; `shake` sways sideways, to the right first. */
export const MOTIONS = [
  'still',
  'left',
  'right',
  'up',
  'down',
  'bounce',
  'grow',
  'shrink',
  'spin',
  'circle',
  'shake',
] as const;

/** One of the motions. */
export type Motion = (typeof MOTIONS)[number];

/** How fast a motion is, in words; `normal` is what captions do not mention. */
export const SPEED_PACES = { slow: 0.6, normal: 1, fast: 1.45 } as const;

/** Slow, normal or fast. */
export type Speed = keyof typeof SPEED_PACES;

/** Centre (units of 128 to the picture's shorter side, y down), width of the sprite's square (same) and clockwise turn (radians). */
export type Pose = { readonly x: number; readonly y: number; readonly width: number; readonly angle: number };

/** Linear motions, units per frame. */
export const TRAVEL_PER_FRAME = 1.4;

/** Height of a hop in units, and its length in frames. */
export const HOP_HEIGHT = 22;
export const HOP_FRAMES = 16;

/** Factor of the width per frame for `grow`; `shrink` divides by it. */
export const GROWTH_PER_FRAME = 1.8 ** (1 / 33);

/** Clockwise radians per frame. */
export const TURN_PER_FRAME = (5 * Math.PI) / 180;

/** Radius of a circle in units, and the frames of one round. */
export const CIRCLE_RADIUS = 16;
export const CIRCLE_FRAMES = 40;

/** Half the width of a sway in units, and the frames from left to right and back. */
export const SHAKE_REACH = 12;
export const SHAKE_FRAMES = 32;

/** Pose at frame `t` (0, 1, 2 …) of a motion that begins at `start`; `start` itself at t = 0. */
export function poseAt(motion: Motion, start: Pose, t: number, pace = 1): Pose {
  const time = pace * t;
  const travel = TRAVEL_PER_FRAME * time;
  switch (motion) {
    case 'still':
      return start;
    case 'left':
      return { ...start, x: start.x - travel };
    case 'right':
      return { ...start, x: start.x + travel };
    case 'up':
      return { ...start, y: start.y - travel };
    case 'down':
      return { ...start, y: start.y + travel };
    case 'bounce':
      return { ...start, y: start.y - HOP_HEIGHT * Math.abs(Math.sin((Math.PI * time) / HOP_FRAMES)) };
    case 'grow':
      return { ...start, width: start.width * GROWTH_PER_FRAME ** time };
    case 'shrink':
      return { ...start, width: start.width / GROWTH_PER_FRAME ** time };
    case 'spin':
      return { ...start, angle: start.angle + TURN_PER_FRAME * time };
    case 'circle': {
      // Begins at the top of the circle, where a clockwise round moves to the right.
      const angle = (2 * Math.PI * time) / CIRCLE_FRAMES;
      const x = start.x + CIRCLE_RADIUS * Math.sin(angle);
      return { ...start, x, y: start.y + CIRCLE_RADIUS * (1 - Math.cos(angle)) };
    }
    case 'shake':
      return { ...start, x: start.x + SHAKE_REACH * Math.sin((2 * Math.PI * time) / SHAKE_FRAMES) };
  }
}
