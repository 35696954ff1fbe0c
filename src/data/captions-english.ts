/**
 * English captions: word tables and sentence templates.
 * Lower case throughout, because prompts are matched that way. Does not know how often English is chosen.
 */
import { backgroundColours, type Colour, isScenery } from './background.ts';
import type { Motion } from './motion.ts';
import type { Random } from './random.ts';
import type { Scene, SizeName } from './scene.ts';
import type { Subject } from './world.ts';

const COLOUR_WORDS: Readonly<Partial<Record<Colour, readonly string[]>>> = {
  gray: ['gray', 'grey'],
  purple: ['purple', 'violet'],
  cyan: ['cyan', 'turquoise'],
};

const SIZE_WORDS: Readonly<Record<SizeName, readonly string[]>> = {
  small: ['small', 'little', 'tiny'],
  medium: ['medium'],
  large: ['big', 'large'],
};

/** "it …s" and "…ing" forms, in pairs. */
const MOTION_PHRASES: Readonly<Record<Motion, readonly (readonly [present: string, progressive: string])[]>> = {
  still: [
    ['stands still', 'standing still'],
    ['stays still', 'staying still'],
    ['does not move', 'not moving'],
  ],
  left: [
    ['moves left', 'moving left'],
    ['moves to the left', 'moving to the left'],
    ['goes left', 'going left'],
    ['slides to the left', 'sliding to the left'],
  ],
  right: [
    ['moves right', 'moving right'],
    ['moves to the right', 'moving to the right'],
    ['goes right', 'going right'],
    ['slides to the right', 'sliding to the right'],
  ],
  up: [
    ['moves up', 'moving up'],
    ['rises', 'rising'],
    ['goes up', 'going up'],
    ['flies up', 'flying up'],
  ],
  down: [
    ['moves down', 'moving down'],
    ['falls', 'falling'],
    ['goes down', 'going down'],
    ['sinks down', 'sinking down'],
  ],
  bounce: [
    ['bounces', 'bouncing'],
    ['bounces up and down', 'bouncing up and down'],
    ['jumps', 'jumping'],
    ['hops', 'hopping'],
  ],
  grow: [
    ['grows', 'growing'],
    ['gets bigger', 'getting bigger'],
    ['becomes larger', 'becoming larger'],
  ],
  shrink: [
    ['shrinks', 'shrinking'],
    ['gets smaller', 'getting smaller'],
    ['becomes smaller', 'becoming smaller'],
  ],
  spin: [
    ['spins', 'spinning'],
    ['rotates', 'rotating'],
    ['turns around', 'turning around'],
    ['spins around', 'spinning around'],
  ],
  circle: [
    ['moves in a circle', 'moving in a circle'],
    ['circles around', 'circling around'],
  ],
  shake: [
    ['shakes', 'shaking'],
    ['sways from side to side', 'swaying from side to side'],
  ],
};

/** One English caption of the scene; advances `random`. */
export function englishCaption(subject: Subject, scene: Scene, random: Random): string {
  const name = random.uniform() < 0.6 ? subject.english[0]! : random.pick(subject.english);
  const noun = random.uniform() < sizeWordShare(scene.size) ? `${random.pick(SIZE_WORDS[scene.size])} ${name}` : name;
  const something = `${articleOf(noun)} ${noun}`;
  const [present, progressive] = random.pick(MOTION_PHRASES[scene.motion]);
  const background = backgroundPhrase(scene.background, random);
  const anArea = `${articleOf(background)} ${background}`;
  const draw = random.uniform();
  if (draw < 0.4) return `${something} ${present} on ${anArea}`;
  if (draw < 0.52) return `${something} ${progressive} on ${anArea}`;
  if (draw < 0.6) return `${something} is ${progressive} on ${anArea}`;
  if (draw < 0.68) return `${something} ${present} in front of ${anArea}`;
  if (draw < 0.74) return `on ${anArea}, ${something} ${present}`;
  if (draw < 0.8) return `${something} ${present}, ${background}`;
  if (draw < 0.86) return `${noun}, ${background}, ${progressive}`;
  if (draw < 0.92) return `${noun} ${progressive}, ${background}`;
  if (draw < 0.96) return `a video of ${something} ${progressive} against ${anArea}`;
  return `the ${noun} ${present} with ${anArea}`;
}

/** The plainest English caption: usual name, first motion phrase, no size. */
export function plainEnglish(subject: Subject, scene: Pick<Scene, 'background' | 'motion'>): string {
  const noun = subject.english[0]!;
  const [top, bottom] = backgroundColours(scene.background);
  const background = top === bottom ? `${top} background` : `${top} to ${bottom} gradient`;
  return `${articleOf(noun)} ${noun} ${MOTION_PHRASES[scene.motion][0]![0]} on ${articleOf(background)} ${background}`;
}

/** Every word that `englishCaption` can use for these subjects. */
export function englishWords(subjects: readonly Subject[]): string[] {
  const fixed = 'a an the on is in front of video against with background gradient from to that fades ,';
  const colours = ['red', 'orange', 'yellow', 'green', 'blue', 'pink', 'brown', 'black', 'white'];
  const phrases = [
    fixed,
    ...colours,
    ...Object.values(COLOUR_WORDS).flat(),
    ...Object.values(SIZE_WORDS).flat(),
    ...Object.values(MOTION_PHRASES).flat(2),
    ...subjects.flatMap((subject) => subject.english),
  ];
  return [...new Set(phrases.flatMap((phrase) => phrase.split(' ')))].sort();
}

/** Medium is the size nobody mentions. */
function sizeWordShare(size: SizeName): number {
  return { small: 0.6, medium: 0.04, large: 0.25 }[size];
}

/** A background without its article: "blue background", "blue to pink gradient", … */
function backgroundPhrase(background: string, random: Random): string {
  if (isScenery(background)) return `${background} background`;
  const [top, bottom] = backgroundColours(background);
  const from = colourWord(top, random);
  if (top === bottom) return `${from} background`;
  const to = colourWord(bottom, random);
  return random.pick([
    `${from} to ${to} gradient`,
    `gradient from ${from} to ${to}`,
    `background that fades from ${from} to ${to}`,
    `${from} to ${to} background`,
  ]);
}

const colourWord = (colour: Colour, random: Random): string => random.pick(COLOUR_WORDS[colour] ?? [colour]);

const articleOf = (phrase: string): string => (/^[aeiou]/.test(phrase) ? 'an' : 'a');
