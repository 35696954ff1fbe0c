/**
 * English phrases of a scene, as rules of a grammar: how the words of `captions-english-words.ts` become nouns with their
 * articles, verbs with their adverbs, places and camera clauses. Does not know sentences.
 */
import { type Background, backgroundColours, isScenery } from './background.ts';
import type { Camera } from './camera.ts';
import {
  BEFORE_NOUN,
  CAMERA_PHRASES,
  COLOUR_WORDS,
  MOTION_PHRASES,
  PLACE_WORDS,
  presentOf,
  progressiveOf,
  SCENERY_WORDS,
  SIZE_WORDS,
  SPEED_WORDS,
} from './captions-english-words.ts';
import { type Facts, type Kind, OPPOSITE, type Travel } from './captions-facts.ts';
import { type Grammar, kept, type Rule, type Rules } from './captions-grammar.ts';
import type { Motion, Speed } from './motion.ts';
import type { Place, SizeName } from './scene.ts';
import type { Scenery } from './scenery.ts';

/** The rules that sentences are made of, for one scene. */
export function englishPhrases(facts: Facts, kind: Kind): Grammar {
  const { subject, other, motion, speed, travel, background, camera } = facts;
  return [
    subjectRules(facts, kind),
    ...(other ? [pairRules(subject.english, other.subject.english, other.place)] : []),
    motionRules(motion, speed, travel, kind),
    backgroundRules(background, other ? 'them' : 'it'),
    cameraRules(camera),
  ];
}

/** Whether `before_noun` says this motion. */
export const standsBeforeNoun = (motion: Motion): boolean => BEFORE_NOUN[motion] !== undefined;

/** What nobody mentions is large, so that a sentence without a size means one. */
const SIZE_SHARE: Readonly<Record<'short' | 'dense', Readonly<Record<SizeName, number>>>> = {
  short: { small: 1, medium: 1, large: 0.25 },
  dense: { small: 1, medium: 1, large: 0.7 },
};

function subjectRules({ subject, size }: Facts, kind: Kind): Rules {
  const share = SIZE_SHARE[kind === 'dense' ? 'dense' : 'short'][size];
  return {
    noun: namesRule(subject.english),
    thing: { '{noun}': 94, '{noun} emoji': 3, 'cartoon {noun}': 3 },
    size: SIZE_WORDS[size],
    sized: { '{thing}': 1 - share, '{size} {thing}': share },
    a: ['a {sized}'],
  };
}

function pairRules(first: readonly string[], second: readonly string[], place: Place): Rules {
  return {
    x: namesRule(first),
    y: namesRule(second),
    of: PLACE_WORDS[place].of,
    side: PLACE_WORDS[place].side,
    other_side: PLACE_WORDS[OPPOSITE[place]].side,
    pair: ['a {x} {of} a {y}'],
  };
}

/** `moves` for one subject, `move` for two, `moving` for any, each with the speed. */
const motionRules = kept((motion: Motion, speed: Speed, travel: Travel | undefined, kind: Kind): Rules => {
  const sideways = motion === 'left' || motion === 'right';
  const own = sideways && travel ? [`${travel} ${motion}`, `${travel} to the ${motion}`] : [];
  const phrases = [...MOTION_PHRASES[motion], ...own];
  const forms = { plain_moves: phrases.map(presentOf), plain_moving: phrases.map(progressiveOf), plain_move: phrases };
  const rule = (form: string): Rule => {
    if (speed === 'normal') return [`{${form}}`];
    const unsaid = kind === 'short' ? 20 : 0;
    const wordy = kind === 'dense' ? 40 : 0;
    return {
      [`{${form}} {adverb_behind}`]: 40,
      [`{adverb_before} {${form}}`]: 40,
      [`{${form}} {adverb_wordy}`]: wordy,
      [`{${form}}`]: unsaid,
    };
  };
  const [before, behind, wordy] = SPEED_WORDS[speed === 'normal' ? 'slow' : speed];
  return {
    ...forms,
    ...{ adverb_before: before, adverb_behind: behind, adverb_wordy: wordy },
    attributive: BEFORE_NOUN[motion] ?? [],
    before_noun: speed === 'normal' ? ['{attributive}'] : ['{adverb_before} {attributive}'],
    ...{ moves: rule('plain_moves'), moving: rule('plain_moving'), move: rule('plain_move') },
  };
});

/**
 * `where` a subject is, `where_typed` without articles, `bare` the background as people type it, `area` with its article, and
 * `backdrop` and `behind` for whole clauses.
 */
const backgroundRules = kept((background: Background, pronoun: 'it' | 'them'): Rules => {
  const rules = isScenery(background) ? sceneryRules(background) : colourRules(background);
  return { ...rules, behind_it: [`behind ${pronoun}`] };
});

function sceneryRules(scenery: Scenery): Rules {
  const { where, area, bare, denseWhere, denseArea } = SCENERY_WORDS[scenery];
  const open = scenery === 'room' ? 0 : 1; // nothing is in front of a room or goes over it
  return {
    place: where,
    where: { '{place}': 80, 'with {area} in the background': 10, 'in front of {area}': 8 * open },
    where_typed: where.map((words) => words.replace(/\b(a|the) /g, '')),
    bare: { '{bare_words}': 85, '{short_words} background': 15 },
    bare_words: bare,
    short_words: bare.filter((words) => !/ (and|with|under) /.test(words)),
    area,
    across: { across: 1, over: open },
    backdrop: ['the background is {area}'],
    behind: ['the background is {dense_area}', '{behind_it} is {dense_area}', 'the background shows {dense_area}'],
    dense_area: denseArea,
    dense_where: denseWhere,
  };
}

function colourRules(background: string): Rules {
  const [top, bottom] = backgroundColours(background);
  const common: Rules = {
    top: COLOUR_WORDS[top] ?? [top],
    bottom: COLOUR_WORDS[bottom] ?? [bottom],
    where: {
      'on a {ground}': 62,
      'in front of a {ground}': 14,
      'against a {ground}': 10,
      'with a {ground}': 9,
      'over a {ground}': 5,
    },
    where_typed: ['on {ground}'],
    bare: ['{ground}'],
    area: ['a {ground}'],
    across: ['across'],
    dense_area: ['a {ground}'],
  };
  if (top === bottom)
    return {
      ...common,
      ground: { '{top} background': 92, 'plain {top} background': 5, 'solid {top} background': 3 },
      dense_where: [
        'on a plain {top} background',
        'in front of a plain {top} background',
        'against a solid {top} background',
      ],
      backdrop: ['the background is {top}', 'the background is plain {top}'],
      behind: ['the background is plain {top}', 'the background is {top}', '{behind_it} is a solid {top} background'],
    };
  return {
    ...common,
    ground: [
      '{top} to {bottom} gradient',
      'gradient from {top} to {bottom}',
      'background that fades from {top} to {bottom}',
      '{top} to {bottom} background',
    ],
    dense_where: [
      'on a background that fades from {top} at the top to {bottom} at the bottom',
      'in front of a smooth gradient from {top} to {bottom}',
    ],
    backdrop: ['the background fades from {top} to {bottom}', 'the background is a {top} to {bottom} gradient'],
    behind: [
      'the background fades from {top} at the top to {bottom} at the bottom',
      'the background is a smooth gradient from {top} to {bottom}',
    ],
  };
}

/** `camera` as a clause, `camera_typed` as what people type between commas. */
const cameraRules = kept((camera: Camera): Rules => {
  const phrases = CAMERA_PHRASES[camera];
  const alone = phrases.filter((phrase) => /^(pan|zoom)/.test(phrase)).map(progressiveOf);
  return {
    camera: phrases.map((phrase) => `the camera ${presentOf(phrase)}`),
    camera_typed:
      camera === 'static' ? ['static camera'] : [...phrases.map((p) => `camera ${progressiveOf(p)}`), ...alone],
  };
});

/** The usual name more often than each of the others. */
const namesRule = (names: readonly string[]): Rule =>
  Object.fromEntries(names.map((name, i) => [name, i === 0 ? names.length + 1 : 1]));
