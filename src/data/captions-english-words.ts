/**
 * English word tables: what colours, sizes, speeds, sceneries, motions, camera moves and places are called.
 * Lower case throughout. "left" as a motion follows a verb of the subject, as a place it follows "the" or stands before "of",
 * and as a camera move it follows "camera" or "panning". Does not know sentences.
 */
import type { Colour } from './background.ts';
import type { Camera } from './camera.ts';
import type { Motion, Speed } from './motion.ts';
import type { Place, SizeName } from './scene.ts';
import type { Scenery } from './scenery.ts';

export const COLOUR_WORDS: Readonly<Partial<Record<Colour, readonly string[]>>> = {
  gray: ['gray', 'grey'],
  purple: ['purple', 'violet'],
  cyan: ['cyan', 'turquoise'],
  navy: ['navy', 'dark blue', 'navy blue'],
  lime: ['lime', 'light green', 'lime green'],
};

export const SIZE_WORDS: Readonly<Record<SizeName, readonly string[]>> = {
  small: ['small', 'little', 'tiny'],
  medium: ['medium', 'medium-sized'],
  large: ['big', 'large'],
};

/** "-s" and "-ing" forms of the verbs that phrases begin with. */
export const VERBS: Readonly<Record<string, readonly [present: string, progressive: string]>> = {
  become: ['becomes', 'becoming'],
  bounce: ['bounces', 'bouncing'],
  circle: ['circles', 'circling'],
  drive: ['drives', 'driving'],
  fall: ['falls', 'falling'],
  float: ['floats', 'floating'],
  fly: ['flies', 'flying'],
  get: ['gets', 'getting'],
  go: ['goes', 'going'],
  grow: ['grows', 'growing'],
  hop: ['hops', 'hopping'],
  jump: ['jumps', 'jumping'],
  move: ['moves', 'moving'],
  pan: ['pans', 'panning'],
  pull: ['pulls', 'pulling'],
  push: ['pushes', 'pushing'],
  rise: ['rises', 'rising'],
  rotate: ['rotates', 'rotating'],
  shake: ['shakes', 'shaking'],
  shrink: ['shrinks', 'shrinking'],
  sink: ['sinks', 'sinking'],
  slide: ['slides', 'sliding'],
  spin: ['spins', 'spinning'],
  stand: ['stands', 'standing'],
  stay: ['stays', 'staying'],
  sway: ['sways', 'swaying'],
  swim: ['swims', 'swimming'],
  turn: ['turns', 'turning'],
  walk: ['walks', 'walking'],
  wobble: ['wobbles', 'wobbling'],
  zoom: ['zooms', 'zooming'],
};

export const MOTION_PHRASES: Readonly<Record<Motion, readonly string[]>> = {
  still: ['stand still', 'stay still', 'do not move'],
  left: ['move left', 'move to the left', 'go left', 'go to the left', 'slide to the left', 'slide left'],
  right: ['move right', 'move to the right', 'go right', 'go to the right', 'slide to the right', 'slide right'],
  up: ['move up', 'rise', 'go up', 'fly up', 'float up', 'move upwards'],
  down: ['move down', 'fall', 'go down', 'sink', 'fall down', 'move downwards'],
  bounce: ['bounce', 'jump', 'hop', 'bounce up and down', 'jump up and down'],
  grow: ['grow', 'get bigger', 'become larger', 'grow bigger', 'get larger'],
  shrink: ['shrink', 'get smaller', 'become smaller'],
  spin: ['spin', 'rotate', 'turn around', 'spin around'],
  circle: ['move in a circle', 'circle around', 'move in circles', 'go around in a circle'],
  shake: ['shake', 'sway from side to side', 'wobble', 'sway', 'shake from side to side'],
};

/** Participles that can stand before a noun. */
export const BEFORE_NOUN: Readonly<Partial<Record<Motion, readonly string[]>>> = {
  up: ['rising'],
  down: ['falling'],
  bounce: ['bouncing', 'jumping', 'hopping'],
  grow: ['growing'],
  shrink: ['shrinking'],
  spin: ['spinning', 'rotating'],
  circle: ['circling'],
  shake: ['shaking', 'swaying', 'wobbling'],
};

/** Adverbs that stand before a verb, behind it, and behind it in thorough captions. */
export const SPEED_WORDS: Readonly<Record<Exclude<Speed, 'normal'>, readonly [string[], string[], string[]]>> = {
  slow: [['slowly'], ['slowly'], ['at a slow pace', 'at a slow speed']],
  fast: [
    ['quickly', 'rapidly'],
    ['quickly', 'fast', 'rapidly'],
    ['at a fast pace', 'at high speed'],
  ],
};

/**
 * Of each scenery: `where` a subject is; `area`, what it is, with its article; `bare`, what people type; and the same in more
 * words. The first of each is the plainest.
 */
export const SCENERY_WORDS: Readonly<
  Record<Scenery, Readonly<Record<'where' | 'area' | 'bare' | 'denseWhere' | 'denseArea', readonly string[]>>>
> = {
  meadow: {
    where: ['on grass', 'on the grass', 'in a meadow', 'in a green field under a blue sky', 'on a green meadow'],
    area: ['a meadow', 'a green meadow', 'a green field under a blue sky', 'green grass and a blue sky'],
    bare: ['grass', 'meadow', 'green meadow', 'green field under a blue sky', 'grass and sky'],
    denseWhere: ['in a green meadow under a blue sky with white clouds', 'on green grass under a bright blue sky'],
    denseArea: ['a green meadow under a blue sky with white clouds', 'a field of green grass under a bright blue sky'],
  },
  night: {
    where: ['in front of a night sky', 'under a starry sky', 'in front of the night sky', 'on a starry night'],
    area: ['the night sky', 'a starry sky', 'a night sky with stars'],
    bare: ['night sky', 'starry night', 'starry sky', 'night sky with stars'],
    denseWhere: ['under a dark night sky full of stars', 'in front of a dark blue night sky with bright stars'],
    denseArea: ['a dark night sky full of stars', 'a dark blue night sky with bright stars over black hills'],
  },
  sea: {
    where: ['in front of the sea', 'by the sea', 'over the sea', 'in front of the ocean', 'over the ocean'],
    area: ['the sea', 'the ocean', 'the blue sea'],
    bare: ['sea', 'ocean', 'blue sea'],
    denseWhere: [
      'over the blue water of the sea under a light blue sky',
      'in front of the blue ocean and a bright sky',
    ],
    denseArea: ['the blue sea under a light blue sky', 'the blue water of the ocean and a bright sky'],
  },
  desert: {
    where: ['in a desert', 'in the desert', 'in front of sand dunes', 'over sand dunes', 'in a sandy desert'],
    area: ['a desert', 'sand dunes', 'a sandy desert'],
    bare: ['desert', 'sand dunes', 'sandy desert'],
    denseWhere: ['in a sandy desert with dunes under a yellow sky', 'in front of brown sand dunes under a warm sky'],
    denseArea: ['a sandy desert with dunes under a yellow sky', 'a desert of brown sand dunes under a warm sky'],
  },
  room: {
    where: ['in a room', 'in a living room', 'inside a room', 'in the living room'],
    area: ['a room', 'a living room', 'a room with a window'],
    bare: ['room', 'living room', 'room with a window'],
    denseWhere: ['in a bright living room with a window and a wooden floor', 'inside a room with a wooden floor'],
    denseArea: ['a bright living room with a window and a wooden floor', 'a room with light walls and a wooden floor'],
  },
};

export const CAMERA_PHRASES: Readonly<Record<Camera, readonly string[]>> = {
  static: ['stay still', 'do not move'],
  'pan-left': ['pan left', 'pan to the left', 'move left', 'move to the left'],
  'pan-right': ['pan right', 'pan to the right', 'move right', 'move to the right'],
  'zoom-in': ['zoom in', 'move closer', 'push in'],
  'zoom-out': ['zoom out', 'move back', 'pull back'],
};

/** "x is … y", and "x is …". */
export const PLACE_WORDS: Readonly<
  Record<Place, { readonly of: readonly string[]; readonly side: readonly string[] }>
> = {
  left: { of: ['to the left of', 'left of', 'on the left of'], side: ['on the left'] },
  right: { of: ['to the right of', 'right of', 'on the right of'], side: ['on the right'] },
  above: { of: ['above', 'on top of'], side: ['at the top'] },
  below: { of: ['below', 'under'], side: ['at the bottom'] },
};

/** "do not move" → "does not move". */
export const presentOf = (phrase: string): string =>
  phrase.startsWith('do not ') ? phrase.replace('do', 'does') : conjugated(phrase, 0);

/** "do not move" → "not moving". */
export const progressiveOf = (phrase: string): string =>
  phrase === 'do not move' ? 'not moving' : conjugated(phrase, 1);

function conjugated(phrase: string, form: 0 | 1): string {
  const [verb = '', ...rest] = phrase.split(' ');
  return [VERBS[verb]![form], ...rest].join(' ');
}
