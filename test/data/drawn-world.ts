/**
 * A tiny world of drawn shapes for tests: no download, every subject of clear colour and no symmetry under small turns.
 */
import { type Scene, SIZE_WIDTHS } from '../../src/data/scene.ts';
import type { Sprite } from '../../src/data/sprite.ts';
import { createWorld, type Subject, type World } from '../../src/data/world.ts';

type Rgb = readonly [number, number, number];

/** Colour of a shape at (x, y) in [-1, 1]², or undefined outside it; `t` in [0, 1) is the place in its animation. */
type Shape = (x: number, y: number, t: number) => Rgb | undefined;

const SIZE = 64;

type Drawn = { shape: Shape; frames: number; role?: Subject['role']; chinese: string };

const SHAPES: Readonly<Record<string, Drawn>> = {
  disk: {
    shape: (x, y) => (x * x + y * y < 0.7 ? (x + y > 0.3 ? [120, 10, 10] : [235, 60, 90]) : undefined),
    frames: 1,
    chinese: '圆盘',
  },
  box: {
    shape: (x, y) => (Math.abs(x) < 0.8 && Math.abs(y) < 0.55 ? (x < -0.2 ? [20, 60, 20] : [90, 220, 60]) : undefined),
    frames: 1,
    chinese: '方块',
  },
  wedge: {
    shape: (x, y) => (y < 0.8 && y > -0.8 && Math.abs(x) < (y + 0.8) / 2 ? [60, 60, 240 - 100 * y] : undefined),
    frames: 1,
    chinese: '三角',
  },
  ring: {
    shape: (x, y) => {
      const r = Math.hypot(x, y);
      return r < 0.85 && r > 0.45 && !(x > 0 && Math.abs(y) < 0.25) ? [250, 200, 20] : undefined;
    },
    frames: 1,
    chinese: '圆环',
  },
  pole: {
    shape: (x, y) =>
      Math.abs(x) < 0.22 && Math.abs(y) < 0.9 ? (y < -0.3 ? [255, 255, 255] : [160, 40, 200]) : undefined,
    frames: 1,
    chinese: '杆子',
  },
  winker: {
    // A face whose eye opens and closes: the animation must not read as motion.
    shape: (x, y, t) => {
      if (Math.hypot(x, y) > 0.9) return undefined;
      if (Math.hypot(x - 0.35, y + 0.3) < 0.1 + 0.2 * Math.abs(t - 0.5)) return [10, 10, 10];
      return y > 0.4 ? [200, 120, 40] : [240, 230, 200];
    },
    frames: 12,
    chinese: '眨眼',
  },
  hook: {
    shape: (x, y) => (Math.abs(x) < 0.8 && Math.abs(y) < 0.8 && (x < -0.3 || y > 0.3) ? [20, 190, 200] : undefined),
    frames: 1,
    chinese: '钩子',
  },
  wheel: {
    shape: (x, y) => {
      const r = Math.hypot(x, y);
      return r < 0.9 ? (r < 0.3 ? [250, 250, 250] : x * y > 0 && x > 0 ? [250, 120, 0] : [30, 30, 60]) : undefined;
    },
    frames: 1,
    role: 'unseen',
    chinese: '轮子',
  },
};

/** One large subject in the middle of a blue square that stands still, but for `part`. */
export const centredScene = (part: Partial<Scene>): Scene => ({
  subject: 'box',
  background: 'blue',
  motion: 'still',
  size: 'large',
  speed: 'normal',
  pace: 1,
  camera: 'static',
  aspect: 'square',
  start: { x: 64, y: 64, width: SIZE_WIDTHS.large, angle: 0 },
  phase: 0,
  ...part,
});

/** Seven trained subjects and an unseen one, 64-pixel sprites with soft edges. */
export function drawnWorld(): World {
  const sprites = new Map<string, Sprite>();
  const subjects = Object.entries(SHAPES).map(([id, { shape, frames, role = 'trained', chinese }]): Subject => {
    sprites.set(id, { frames, size: SIZE, pixels: draw(shape, frames) });
    return {
      id,
      codepoint: id,
      role,
      english: [id, `odd ${id}`],
      chinese: [chinese],
      measure: '个',
      labels: { en: id, zh: chinese },
      frames,
      size: SIZE,
      source: 'drawn',
      sha256: '',
    };
  });
  return createWorld(subjects, sprites);
}

/** Premultiplied RGBA8 [frames, 64, 64, 4], each pixel the mean of 4 × 4 samples. */
function draw(shape: Shape, frames: number): Uint8Array {
  const pixels = new Uint8Array(frames * SIZE * SIZE * 4);
  const samples = 4;
  for (let i = 0; i < frames * SIZE * SIZE; i++) {
    const sum = [0, 0, 0, 0];
    for (let k = 0; k < samples * samples; k++) {
      const x = ((i % SIZE) + ((k % samples) + 0.5) / samples) / (SIZE / 2) - 1;
      const y = ((Math.floor(i / SIZE) % SIZE) + (Math.floor(k / samples) + 0.5) / samples) / (SIZE / 2) - 1;
      const colour = shape(x * 1.05, y * 1.05, Math.floor(i / SIZE / SIZE) / frames);
      if (colour) for (const [channel, value] of [...colour, 255].entries()) sum[channel]! += value;
    }
    for (let channel = 0; channel < 4; channel++) pixels[i * 4 + channel] = Math.round(sum[channel]! / samples ** 2);
  }
  return pixels;
}
