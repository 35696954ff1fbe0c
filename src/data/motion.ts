/**
 * The nine motions: where a subject is, how large and how turned, at each frame.
 * Speeds are per frame and do not depend on the clip's length, so a short prefix shows the same motion as a long clip.
 * Slow enough for a VAE that keeps one latent frame of eight: 30 px, 96° or a factor of 1.6 in 17 frames.
 */

/** Every motion. `bounce` hops and lands once in 17 frames; `spin` turns clockwise. */
export const MOTIONS = ['still', 'left', 'right', 'up', 'down', 'bounce', 'grow', 'shrink', 'spin'] as const;

/** One of the nine motions. */
export type Motion = (typeof MOTIONS)[number];

/** Centre (pixels of a 128 × 128 picture, y down), width of the sprite's square (same pixels) and clockwise turn (radians). */
export type Pose = { readonly x: number; readonly y: number; readonly width: number; readonly angle: number };

/** Linear motions, pixels of 128 per frame. */
export const TRAVEL_PER_FRAME = 1.9;

/** Height of a hop in pixels of 128, and its length in frames. */
export const HOP_HEIGHT = 22;
export const HOP_FRAMES = 16;

/** Factor of the width per frame for `grow`; `shrink` divides by it. */
export const GROWTH_PER_FRAME = 1.6 ** (1 / 16);

/** Clockwise radians per frame. */
export const TURN_PER_FRAME = ((96 / 16) * Math.PI) / 180;

/** Pose at frame `t` (0, 1, 2 …) of a motion that begins at `start`; `start` itself at t = 0. */
export function poseAt(motion: Motion, start: Pose, t: number): Pose {
  const travel = TRAVEL_PER_FRAME * t;
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
      return { ...start, y: start.y - HOP_HEIGHT * Math.abs(Math.sin((Math.PI * t) / HOP_FRAMES)) };
    case 'grow':
      return { ...start, width: start.width * GROWTH_PER_FRAME ** t };
    case 'shrink':
      return { ...start, width: start.width / GROWTH_PER_FRAME ** t };
    case 'spin':
      return { ...start, angle: start.angle + TURN_PER_FRAME * t };
  }
}
