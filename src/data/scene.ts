/**
 * A scene and its picture: one subject or two with their own animation, moving in one way over a background, seen by a camera.
 * A pure-TypeScript compositor, fast enough to make training clips on the fly. Does not know captions, splits or seeds.
 */
import { type Background, isScenery, painter } from './background.ts';
import { type Camera, seen, type View, viewAt } from './camera.ts';
import { type Motion, type Pose, poseAt, type Speed } from './motion.ts';
import { spriteLevel } from './sprite.ts';
import type { World } from './world.ts';

/** Units to the shorter side of a picture: what poses are measured in, and the pixels of a square picture. */
export const SCENE_SIZE = 128;

/** Width and height in pixels of each shape of picture. */
export const ASPECTS = {
  square: { width: 128, height: 128 },
  landscape: { width: 160, height: 96 },
  portrait: { width: 96, height: 160 },
} as const;

/** The shape of a picture. */
export type Aspect = keyof typeof ASPECTS;

/** How large a subject is drawn, in the middle of the clip where it grows or shrinks. */
export type SizeName = 'small' | 'medium' | 'large';

/** Width of the sprite's square in units; the visible subject fills about 0.9 of it. */
export const SIZE_WIDTHS: Readonly<Record<SizeName, number>> = { small: 44, medium: 60, large: 76 };

/** Where a second subject is, seen from the first. */
export const PLACES = ['left', 'right', 'above', 'below'] as const;

/** One of the places. */
export type Place = (typeof PLACES)[number];

/** A subject in a scene: its pose at t = 0, and the frame of its own animation then. */
export type Actor = { readonly subject: string; readonly start: Pose; readonly phase: number };

/** Everything that determines a clip. Both subjects move alike. `pace` multiplies the motion's rates; `speed` is what captions say. */
export type Scene = Actor & {
  readonly background: Background;
  readonly motion: Motion;
  readonly size: SizeName;
  readonly speed: Speed;
  readonly pace: number;
  readonly camera: Camera;
  readonly aspect: Aspect;
  readonly second?: Actor & { readonly place: Place };
};

/** Width and height of a scene's picture in units. */
export function extentOf(aspect: Aspect): { width: number; height: number } {
  const { width, height } = ASPECTS[aspect];
  const unit = SCENE_SIZE / Math.min(width, height);
  return { width: width * unit, height: height * unit };
}

/** The part of the picture to draw, in pixels of the full picture; it must lie inside. */
export type PictureWindow = { readonly x: number; readonly y: number; readonly width: number; readonly height: number };

/** `scale` enlarges the picture (1 unless told); `first` is the index of the first frame drawn. */
export type RenderOptions = { frames: number; scale?: number; first?: number; window?: PictureWindow };

/** The clip of a scene: RGB8 [frames, height, width, 3] of the window, or of the whole picture. */
export function renderScene(world: World, scene: Scene, options: RenderOptions): Uint8Array {
  const { frames, scale = 1, first = 0 } = options;
  const { width, height } = ASPECTS[scene.aspect];
  const window = options.window ?? { x: 0, y: 0, width: width * scale, height: height * scale };
  const extent = extentOf(scene.aspect);
  const pixels = (scale * height) / extent.height; // pixels per unit
  const bytes = window.width * window.height * 3;
  const out = new Uint8Array(frames * bytes);
  for (let frame = 0; frame < frames; frame++) {
    const t = first + frame;
    const view = viewAt(scene.camera, t);
    const picture = out.subarray(frame * bytes, (frame + 1) * bytes);
    if (frame > 0 && scene.camera === 'static') picture.set(out.subarray(0, bytes));
    else fillBackground(picture, scene.background, { window, pixels, view, extent });
  }
  const actors = scene.second ? [scene.second, scene] : [scene];
  for (let frame = 0; frame < frames; frame++) {
    const t = first + frame;
    const picture = out.subarray(frame * bytes, (frame + 1) * bytes);
    for (const { subject, start, phase } of actors) {
      const pose = seen(poseAt(scene.motion, start, t, scene.pace), viewAt(scene.camera, t), extent);
      const drawn = { x: pose.x * pixels, y: pose.y * pixels, width: pose.width * pixels, angle: pose.angle };
      drawSprite(picture, window, spriteLevel(world.sprite(subject), phase + t, drawn.width), drawn);
    }
  }
  return out;
}

type Projection = {
  readonly window: PictureWindow;
  readonly pixels: number;
  readonly view: View;
  readonly extent: { readonly width: number; readonly height: number };
};

/** Fills one frame, RGB8 [window.height, window.width, 3]; a row of colours is computed once. */
function fillBackground(frame: Uint8Array, background: Background, projection: Projection): void {
  const { window, pixels, view, extent } = projection;
  const paint = painter(background, extent.height);
  const along = isScenery(background) ? window.width : 1;
  const row = window.width * 3;
  for (let j = 0; j < window.height; j++) {
    const y = extent.height / 2 + ((window.y + j + 0.5) / pixels - extent.height / 2) / view.zoom;
    for (let i = 0; i < along; i++) {
      const x = extent.width / 2 + ((window.x + i + 0.5) / pixels - extent.width / 2) / view.zoom + view.x;
      const colour = paint(x, y);
      for (let channel = 0; channel < 3; channel++) frame[j * row + i * 3 + channel] = Math.round(colour[channel]!);
    }
    for (let i = along * 3; i < row; i++) frame[j * row + i] = frame[j * row + i - 3]!;
  }
}

/** Draws a premultiplied sprite level over one frame; bilinear, so edges are as soft as the sprite's own alpha. */
function drawSprite(
  frame: Uint8Array,
  window: PictureWindow,
  level: { readonly size: number; readonly pixels: Uint8Array },
  pose: Pose,
): void {
  const { size: side, pixels } = level;
  const step = side / pose.width; // level pixels per picture pixel
  const cos = Math.cos(pose.angle) * step;
  const sin = Math.sin(pose.angle) * step;
  // A turned square reaches |cos| + |sin| times as far as an upright one.
  const reach = ((Math.abs(cos) + Math.abs(sin)) / step) * (pose.width / 2);
  const centreX = pose.x - 0.5 - window.x; // pixel centres lie at half-integers
  const centreY = pose.y - 0.5 - window.y;
  const x0 = Math.max(0, Math.ceil(centreX - reach));
  const x1 = Math.min(window.width - 1, Math.floor(centreX + reach));
  const y0 = Math.max(0, Math.ceil(centreY - reach));
  const y1 = Math.min(window.height - 1, Math.floor(centreY + reach));
  const middle = side / 2 - 0.5;
  const row = side * 4;
  for (let y = y0; y <= y1; y++) {
    const dy = y - centreY;
    let u = (x0 - centreX) * cos + dy * sin + middle;
    let v = -(x0 - centreX) * sin + dy * cos + middle;
    let target = (y * window.width + x0) * 3;
    for (let x = x0; x <= x1; x++, u += cos, v -= sin, target += 3) {
      // The outermost half pixel of a level counts as transparent: emoji keep a margin there.
      if (u < 0 || v < 0 || u >= side - 1 || v >= side - 1) continue;
      const iu = u | 0;
      const iv = v | 0;
      const fu = u - iu;
      const fv = v - iv;
      const a = iv * row + iu * 4;
      const wa = (1 - fu) * (1 - fv);
      const wb = fu * (1 - fv);
      const wc = (1 - fu) * fv;
      const wd = fu * fv;
      const b = a + 4;
      const c = a + row;
      const d = c + 4;
      const alpha = wa * pixels[a + 3]! + wb * pixels[b + 3]! + wc * pixels[c + 3]! + wd * pixels[d + 3]!;
      if (alpha === 0) continue;
      const keep = 1 - alpha / 255;
      frame[target] =
        wa * pixels[a]! + wb * pixels[b]! + wc * pixels[c]! + wd * pixels[d]! + keep * frame[target]! + 0.5;
      frame[target + 1] =
        wa * pixels[a + 1]! +
        wb * pixels[b + 1]! +
        wc * pixels[c + 1]! +
        wd * pixels[d + 1]! +
        keep * frame[target + 1]! +
        0.5;
      frame[target + 2] =
        wa * pixels[a + 2]! +
        wb * pixels[b + 2]! +
        wc * pixels[c + 2]! +
        wd * pixels[d + 2]! +
        keep * frame[target + 2]! +
        0.5;
    }
  }
}
