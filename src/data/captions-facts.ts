/**
 * What a caption speaks of: the subjects with their names, how they travel, and all else that a scene says in words.
 * Does not know sentences, languages or pixels.
 */
import type { Background } from './background.ts';
import type { Camera } from './camera.ts';
import { type Motion, SPEED_PACES, type Speed } from './motion.ts';
import { type Place, type Scene, SIZE_WIDTHS, type SizeName } from './scene.ts';
import type { Subject, World } from './world.ts';

/** A scene as far as captions tell it; what is left out is large, normal, static and alone. */
export type Told = Pick<Scene, 'subject' | 'background' | 'motion'> &
  Partial<Pick<Scene, 'size' | 'speed' | 'camera'>> & {
    readonly second?: { readonly subject: string; readonly place: Place };
  };

/** How subjects go sideways in everyday words, where they have such a word. */
export const TRAVELS = ['walk', 'drive', 'fly', 'swim'] as const;

/** One of them. */
export type Travel = (typeof TRAVELS)[number];

/** A told scene with its subjects looked up. `other.place` is where `subject` is, seen from the other. */
export type Facts = {
  readonly subject: Subject;
  readonly other?: { readonly subject: Subject; readonly place: Place };
  readonly travel: Travel | undefined;
  readonly background: Background;
  readonly motion: Motion;
  readonly size: SizeName;
  readonly speed: Speed;
  readonly camera: Camera;
};

/** What a caption is for: one that is thorough names speed and camera whenever there is something to name. */
export const KINDS = ['short', 'dense', 'paraphrase', 'plain'] as const;

/** One of the kinds. */
export type Kind = (typeof KINDS)[number];

/** Most words and marks of a caption: with begin, end and a leading space, 31 tokens of Step-LLM for short ones, else 63. */
export const MOST_WORDS: Readonly<Record<Kind, number>> = { short: 28, dense: 60, paraphrase: 60, plain: 60 };

export const SIZES = Object.keys(SIZE_WIDTHS) as readonly SizeName[];

export const SPEEDS = Object.keys(SPEED_PACES) as readonly Speed[];

/** The place on the other side. */
export const OPPOSITE: Readonly<Record<Place, Place>> = {
  left: 'right',
  right: 'left',
  above: 'below',
  below: 'above',
};

const TRAVELLERS: Readonly<Record<Travel, string>> = {
  walk: 'bear cat chick cow dinosaur dog duck elephant flamingo fox koala lion monkey mouse panda penguin pig teddy tiger unicorn wolf',
  drive: 'bus car taxi train',
  fly: 'airplane bee bird butterfly helicopter owl rocket ufo',
  swim: 'dolphin fish shark',
};

const TRAVEL_OF: ReadonlyMap<string, Travel> = new Map(
  TRAVELS.flatMap((travel) => TRAVELLERS[travel].split(' ').map((id) => [id, travel] as const)),
);

/** How a subject travels, if in any way of its own. */
export const travelOf = (subject: string): Travel | undefined => TRAVEL_OF.get(subject);

/** The facts of a scene: of two subjects, either may be the one that is told first. @throws input error on an unknown subject. */
export function factsOf(world: World, told: Told): readonly [Facts, ...Facts[]] {
  const { background, motion, size = 'large', speed = 'normal', camera = 'static', second } = told;
  const rest = { background, motion, size, speed, camera };
  const subject = world.subject(told.subject);
  if (second === undefined) return [{ subject, travel: travelOf(subject.id), ...rest }];
  const other = world.subject(second.subject);
  const travel = travelOf(subject.id) === travelOf(other.id) ? travelOf(subject.id) : undefined;
  return [
    { subject, other: { subject: other, place: OPPOSITE[second.place] }, travel, ...rest },
    { subject: other, other: { subject, place: second.place }, travel, ...rest },
  ];
}
