/**
 * A scene and its picture: one subject with its own animation, moving in one way over one background.
 * A pure-TypeScript compositor, fast enough to make training clips on the fly. Does not know captions, splits or seeds.
 */
import { type Background, backgroundAt } from './background.ts';
import { type Motion, type Pose, poseAt } from './motion.ts';
import { spriteLevel } from './sprite.ts';
import type { World } from './world.ts';

/** The side of the picture in which poses are measured. */
export const SCENE_SIZE = 128;

/** How large a subject is drawn, in the middle of the clip where it grows or shrinks. */
export type SizeName = 'small' | 'medium' | 'large';

/** Width of the sprite's square in a 128-pixel picture; the visible subject fills about 0.9 of it. */
export const SIZE_WIDTHS: Readonly<Record<SizeName, number>> = { small: 44, medium: 60, large: 76 };

/** Everything that determines a clip. `phase` is the frame of the subject's own animation at t = 0. */
export type Scene = {
  readonly subject: string;
  readonly background: Background;
  readonly motion: Motion;
  readonly size: SizeName;
  readonly start: Pose;
  readonly phase: number;
};

/** The part of the picture to draw, in pixels of the full picture; it must lie inside. */
export type PictureWindow = { readonly x: number; readonly y: number; readonly width: number; readonly height: number };

/** `size` is the full picture's side in pixels (128 unless told); `first` the index of the first frame drawn. */
export type RenderOptions = { frames: number; size?: number; first?: number; window?: PictureWindow };

/** The clip of a scene: RGB8 [frames, height, width, 3] of the window, or of the whole square picture. */
export function renderScene(world: World, scene: Scene, options: RenderOptions): Uint8Array {
  const { frames, size = SCENE_SIZE, first = 0 } = options;
  const window = options.window ?? { x: 0, y: 0, width: size, height: size };
  const bytes = window.width * window.height * 3;
  const out = new Uint8Array(frames * bytes);
  fillBackground(out.subarray(0, bytes), scene.background, window, size);
  for (let frame = 1; frame < frames; frame++) out.copyWithin(frame * bytes, 0, bytes);
  const sprite = world.sprite(scene.subject);
  const scale = size / SCENE_SIZE;
  for (let frame = 0; frame < frames; frame++) {
    const t = first + frame;
    const pose = poseAt(scene.motion, scene.start, t);
    const drawn = { x: pose.x * scale, y: pose.y * scale, width: pose.width * scale, angle: pose.angle };
    drawSprite(
      out.subarray(frame * bytes, (frame + 1) * bytes),
      window,
      spriteLevel(sprite, scene.phase + t, drawn.width),
      drawn,
    );
  }
  return out;
}

/** Fills one frame, RGB8 [window.height, window.width, 3]. */
function fillBackground(frame: Uint8Array, background: Background, window: PictureWindow, size: number): void {
  const row = window.width * 3;
  for (let y = 0; y < window.height; y++) {
    const colour = backgroundAt(background, size === 1 ? 0 : (window.y + y) / (size - 1));
    for (let i = 0; i < row; i += 3) {
      frame[y * row + i] = Math.round(colour[0]);
      frame[y * row + i + 1] = Math.round(colour[1]);
      frame[y * row + i + 2] = Math.round(colour[2]);
    }
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
