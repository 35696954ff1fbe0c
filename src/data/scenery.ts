/**
 * Simple sceneries: a colour for every point of an endless plane, so that a camera can pan and zoom over them.
 * Soft edges of about a pixel, few fine details: what a small VAE can keep. Knows no cameras and no subjects.
 */
import { mix32 } from './random.ts';

/** Every scenery. */
export const SCENERIES = ['meadow', 'night', 'sea', 'desert', 'room'] as const;

/** One of the sceneries. */
export type Scenery = (typeof SCENERIES)[number];

export type Rgb = readonly [number, number, number];

/** RGB (0-255) of a scenery at `x`, `y` in units of 128 to the picture's shorter side; `y` is down, `height` that of the picture. */
export function sceneryAt(scenery: Scenery, x: number, y: number, height: number): Rgb {
  return PAINTERS[scenery](x, y, height);
}

const mix = (a: Rgb, b: Rgb, share: number): Rgb => {
  const s = share < 0 ? 0 : Math.min(share, 1);
  return [a[0] + (b[0] - a[0]) * s, a[1] + (b[1] - a[1]) * s, a[2] + (b[2] - a[2]) * s];
};

/** 0 before the edge, 1 behind it, over about 1.5 units. */
const past = (distance: number): number => Math.max(0, Math.min(1, distance / 1.5 + 0.5));

/** 1 inside an ellipse, 0 outside. */
const ellipse = (x: number, y: number, radiusX: number, radiusY: number): number =>
  past((1 - Math.hypot(x / radiusX, y / radiusY)) * Math.min(radiusX, radiusY));

/** Position within the `period` that `x` lies in, from -period/2 to period/2, and which one it is. */
function tile(x: number, period: number): { at: number; index: number } {
  const index = Math.round(x / period);
  return { at: x - index * period, index };
}

/** A number in [0, 1) for an index. */
const chance = (index: number, use: number): number => mix32(Math.imul(index, 0x9e3779b9) ^ use) / 0x100000000;

type Painter = (x: number, y: number, height: number) => Rgb;

const meadow: Painter = (x, y, height) => {
  const horizon = 0.62 * height;
  let colour = mix([112, 184, 246], [208, 234, 252], y / horizon);
  const { at, index } = tile(x, 84);
  const cloudY = (0.14 + 0.16 * chance(index, 1)) * height;
  const cloud = Math.max(ellipse(at, y - cloudY, 19, 6.5), ellipse(at + 6, y - cloudY + 5, 10, 7));
  colour = mix(colour, [250, 252, 255], cloud);
  const hill = horizon + 6 * Math.sin(x / 31) + 3 * Math.sin(x / 13 + 1);
  const grass = mix([120, 196, 84], [64, 148, 58], (y - horizon) / (height - horizon));
  return mix(colour, grass, past(y - hill));
};

const night: Painter = (x, y, height) => {
  let colour = mix([14, 18, 54], [48, 54, 120], y / height);
  const column = tile(x, 20);
  const row = tile(y, 20);
  const cell = column.index * 131 + row.index;
  const star = ellipse(column.at - 12 * (chance(cell, 2) - 0.5), row.at - 12 * (chance(cell, 3) - 0.5), 1.7, 1.7);
  if (chance(cell, 4) < 0.6) colour = mix(colour, [250, 246, 210], star);
  const ridge = 0.8 * height + 7 * Math.sin(x / 27) + 3 * Math.sin(x / 11);
  return mix(colour, [16, 30, 34], past(y - ridge));
};

const sea: Painter = (x, y, height) => {
  const horizon = 0.48 * height;
  const sky = mix([150, 214, 248], [226, 244, 250], y / horizon);
  const wave = Math.sin(x / 9 + 2 * Math.sin(y / 7)) * Math.sin(y / 3.2);
  const water = mix(
    mix([52, 150, 206], [18, 84, 158], (y - horizon) / (height - horizon)),
    [150, 210, 236],
    0.14 * wave,
  );
  return mix(sky, water, past(y - horizon));
};

const desert: Painter = (x, y, height) => {
  const sky = mix([250, 196, 120], [254, 236, 190], y / (0.6 * height));
  const far = 0.58 * height + 8 * Math.sin(x / 36 + 2);
  const near = 0.74 * height + 9 * Math.sin(x / 25);
  const colour = mix(sky, [222, 168, 96], past(y - far));
  return mix(colour, mix([206, 142, 70], [180, 116, 52], (y - near) / (0.3 * height)), past(y - near));
};

const room: Painter = (x, y, height) => {
  const floor = 0.76 * height;
  const { at } = tile(x - 26, 104);
  let colour: Rgb = mix([240, 226, 198], [230, 210, 176], y / floor);
  const middle = 0.3 * height;
  const inside = (halfWidth: number, halfHeight: number): number =>
    past(halfWidth - Math.abs(at)) * past(halfHeight - Math.abs(y - middle));
  colour = mix(colour, [252, 250, 244], inside(20, 20));
  colour = mix(colour, [140, 200, 240], inside(17, 17) * past(Math.abs(at) - 1.5) * past(Math.abs(y - middle) - 1.5));
  colour = mix(colour, [250, 246, 236], past(y - floor + 4));
  return mix(colour, mix([166, 110, 64], [142, 90, 50], (y - floor) / (0.24 * height)), past(y - floor));
};

const PAINTERS: Readonly<Record<Scenery, Painter>> = { meadow, night, sea, desert, room };
