/**
 * Backgrounds of emoji world: named colours, vertical gradients between two of them, and sceneries.
 * Knows what colour each point has; does not know subjects or what a background is called in a caption.
 */
import { inputError } from '../errors.ts';
import { type Rgb, SCENERIES, type Scenery, sceneryAt } from './scenery.ts';

/** RGB of each named colour, 0-255. Clear of each other so that a blurred picture still tells which one it is. */
export const COLOURS = {
  red: [216, 40, 44],
  orange: [244, 132, 30],
  yellow: [250, 216, 60],
  green: [60, 166, 74],
  cyan: [70, 206, 214],
  blue: [44, 92, 214],
  purple: [126, 60, 180],
  pink: [250, 158, 196],
  brown: [122, 76, 42],
  gray: [140, 142, 146],
  black: [24, 24, 28],
  white: [246, 246, 246],
  navy: [22, 32, 96],
  lime: [170, 226, 70],
} as const satisfies Record<string, Rgb>;

/** A named colour. */
export type Colour = keyof typeof COLOURS;

/** All named colours. */
export const COLOUR_NAMES = Object.keys(COLOURS) as readonly Colour[];

/** One colour, `top>bottom` for a vertical gradient, or a scenery. */
export type Background = Colour | `${Colour}>${Colour}` | Scenery;

/** Whether a background is a scenery rather than colours. */
export const isScenery = (background: string): background is Scenery =>
  (SCENERIES as readonly string[]).includes(background);

/**
 * The one or two colours (top, bottom) of a background that is no scenery.
 * @throws StepVideoError `input` when it names an unknown colour.
 */
export function backgroundColours(background: string): readonly [Colour, Colour] {
  const [top, bottom = top] = background.split('>');
  for (const name of [top, bottom]) {
    if (!name || !Object.hasOwn(COLOURS, name)) {
      throw inputError('background', `must be one of ${[...COLOUR_NAMES, ...SCENERIES].join(', ')}`, name);
    }
  }
  return [top as Colour, bottom as Colour];
}

/** RGB (0-255, fractional) of a coloured background at height `v` in [0, 1], 0 = top. */
export function backgroundAt(background: string, v: number): [number, number, number] {
  const [top, bottom] = backgroundColours(background).map((name) => COLOURS[name]) as [Rgb, Rgb];
  return [top[0] + (bottom[0] - top[0]) * v, top[1] + (bottom[1] - top[1]) * v, top[2] + (bottom[2] - top[2]) * v];
}

/** The colour of every point of any background, RGB 0-255 and fractional; `height` is the picture's, in the units of x and y. */
export function painter(background: string, height: number): (x: number, y: number) => Rgb {
  if (isScenery(background)) return (x, y) => sceneryAt(background, x, y, height);
  return (_, y) => backgroundAt(background, Math.max(0, Math.min(1, y / height)));
}
