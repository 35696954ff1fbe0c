/**
 * Backgrounds of emoji world: twelve named colours, and vertical gradients between two of them.
 * Knows colours and how to fill rows; does not know subjects or what a colour is called in a caption.
 */
import { inputError } from '../errors.ts';

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
} as const satisfies Record<string, readonly [number, number, number]>;

/** A named colour. */
export type Colour = keyof typeof COLOURS;

/** All named colours. */
export const COLOUR_NAMES = Object.keys(COLOURS) as readonly Colour[];

/** One colour, or `top>bottom` for a vertical gradient. */
export type Background = Colour | `${Colour}>${Colour}`;

/** The one or two colours (top, bottom) of a background. @throws StepVideoError `input` when it names an unknown colour. */
export function backgroundColours(background: string): readonly [Colour, Colour] {
  const [top, bottom = top] = background.split('>');
  for (const name of [top, bottom]) {
    if (!name || !Object.hasOwn(COLOURS, name)) {
      throw inputError('background', `colour must be one of ${COLOUR_NAMES.join(', ')}`, name);
    }
  }
  return [top as Colour, bottom as Colour];
}

/** RGB (0-255, fractional) of a background at height `v` in [0, 1], 0 = top. */
export function backgroundAt(background: string, v: number): [number, number, number] {
  const [top, bottom] = backgroundColours(background);
  const mix = (channel: 0 | 1 | 2) => COLOURS[top][channel] + (COLOURS[bottom][channel] - COLOURS[top][channel]) * v;
  return [mix(0), mix(1), mix(2)];
}
