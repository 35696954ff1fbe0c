/**
 * Camera moves: what part of a scene's plane each frame shows. A pan to the left makes the scene drift to the right.
 * Knows no pixels; moves are per frame, as motions are.
 */
import type { Pose } from './motion.ts';

/** Every camera move. */
export const CAMERAS = ['static', 'pan-left', 'pan-right', 'zoom-in', 'zoom-out'] as const;

/** One of the camera moves. */
export type Camera = (typeof CAMERAS)[number];

/** Units of 128 per frame. */
export const PAN_PER_FRAME = 1.2;

/** Factor of the picture's scale per frame for `zoom-in`; `zoom-out` divides by it. */
export const ZOOM_PER_FRAME = 1.5 ** (1 / 33);

/** Where the camera looks: its middle is `x` to the right of where it began, and it enlarges by `zoom`. */
export type View = { readonly x: number; readonly zoom: number };

/** The view of frame `t`; that of frame 0 shows the plane as it is. */
export function viewAt(camera: Camera, t: number): View {
  switch (camera) {
    case 'static':
      return { x: 0, zoom: 1 };
    case 'pan-left':
      return { x: -PAN_PER_FRAME * t, zoom: 1 };
    case 'pan-right':
      return { x: PAN_PER_FRAME * t, zoom: 1 };
    case 'zoom-in':
      return { x: 0, zoom: ZOOM_PER_FRAME ** t };
    case 'zoom-out':
      return { x: 0, zoom: ZOOM_PER_FRAME ** -t };
  }
}

/** A pose on the plane as the camera sees it, for a picture of `width` x `height` units. */
export function seen(pose: Pose, view: View, { width, height }: { width: number; height: number }): Pose {
  return {
    x: width / 2 + (pose.x - view.x - width / 2) * view.zoom,
    y: height / 2 + (pose.y - height / 2) * view.zoom,
    width: pose.width * view.zoom,
    angle: pose.angle,
  };
}
