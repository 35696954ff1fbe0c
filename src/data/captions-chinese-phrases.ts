/**
 * Chinese phrases of a scene, as rules of a grammar: how the words of `captions-chinese-words.ts` become nouns with their
 * measure words, verbs with their adverbs, places and camera clauses. Spaces between words. Does not know sentences.
 */
import { type Background, backgroundColours, isScenery } from './background.ts';
import {
  CAMERA_PHRASES,
  COLOUR_WORDS,
  HAS_ITS_OWN_SPEED,
  MOTION_PHRASES,
  PLACE_WORDS,
  SCENERY_WORDS,
  SIZE_APART,
  SIZE_WORDS,
  SPEED_WORDS,
  TRAVEL_VERBS,
} from './captions-chinese-words.ts';
import { type Facts, type Kind, OPPOSITE, type Travel } from './captions-facts.ts';
import { type Grammar, kept, type Rule, type Rules } from './captions-grammar.ts';
import type { Motion, Speed } from './motion.ts';
import type { Place, SizeName } from './scene.ts';
import type { Subject } from './world.ts';

/** The rules that sentences are made of, for one scene. */
export function chinesePhrases(facts: Facts, kind: Kind): Grammar {
  const { subject, other, motion, speed, travel, background, camera } = facts;
  return [
    subjectRules(facts, kind),
    ...(other ? [pairRules(subject, other.subject, other.place)] : []),
    motionRules(motion, speed, travel, kind),
    backgroundRules(background),
    { camera: CAMERA_PHRASES[camera] },
  ];
}

/** What nobody mentions is large, so that a sentence without a size means one. */
const SIZE_SHARE: Readonly<Record<'short' | 'dense', Readonly<Record<SizeName, number>>>> = {
  short: { small: 1, medium: 1, large: 0.25 },
  dense: { small: 1, medium: 1, large: 0.7 },
};

/** `a` with measure word and perhaps size, `thing` the bare name with perhaps its size, `name` alone. */
function subjectRules({ subject, size }: Facts, kind: Kind): Rules {
  const { id, chinese, measure } = subject;
  const share = SIZE_SHARE[kind === 'dense' ? 'dense' : 'short'][size];
  const [before, alone, apart] = SIZE_WORDS[size];
  // 小狗 is any dog and 大树 any tree: a size has to stand apart from such names.
  const standsApart = SIZE_APART.has(id) || chinese.some((name) => /^[小大]/.test(name));
  return {
    name: namesRule(chinese),
    kind: { '{name}': 95, '卡通 {name}': 5 },
    measure: [measure],
    size: standsApart ? apart : before,
    size_alone: alone,
    thing: { '{kind}': 1 - share, '{size} {name}': share },
    a: ['一 {measure} {thing}'],
  };
}

function pairRules(first: Subject, second: Subject, place: Place): Rules {
  return {
    x: namesRule(first.chinese),
    y: namesRule(second.chinese),
    a_x: [`一 ${first.measure} {x}`],
    a_y: [`一 ${second.measure} {y}`],
    side: PLACE_WORDS[place],
    here: PLACE_WORDS[place].slice(0, 1),
    there: PLACE_WORDS[OPPOSITE[place]].slice(0, 1),
    pair: { '{a_x} 在 {a_y} 的 {side}': 70, '{a_x} 在 {a_y} {side}': 30 },
  };
}

/**
 * `act` with the speed, `acts` with the speed there or in a clause behind it; `doing`, `is_doing`, `at_now` and their like for
 * what is going on, which 正在 does not say of what stands still.
 */
const motionRules = kept((motion: Motion, speed: Speed, travel: Travel | undefined, kind: Kind): Rules => {
  const way = motion === 'left' ? '向左' : motion === 'right' ? '向右' : undefined;
  const phrases = [...MOTION_PHRASES[motion], ...(way && travel ? [`${way} ${TRAVEL_VERBS[travel]}`] : [])];
  const [now, being] = motion === 'still' ? ['', ''] : ['正在 ', '在 '];
  const going: Rules = {
    doing: [`${now}{act}`],
    doing_acts: [`${now}{acts}`],
    is_doing: [`${being}{act}`],
    at_now: [`${now || '在 '}{on}`],
    dense_at_now: [`${now || '在 '}{dense_on}`],
  };
  if (speed === 'normal') return { ...going, act: phrases, acts: ['{act}'] };
  const [before, alone] = SPEED_WORDS[speed];
  return {
    ...going,
    adverb: before,
    act: { '{adverb} {act_alone}': 80, '{act_alone}': kind === 'short' ? 20 : 0 },
    acts: { '{adverb} {act_alone}': 65, '{act_alone} ， {speed}': 35 },
    act_alone: phrases.filter((phrase) => !HAS_ITS_OWN_SPEED.test(phrase)),
    speed: alone,
  };
});

/** `on` after 在 or at the start, `bare` the background as a noun, `is` after 背景, and the same in more words. */
const backgroundRules = kept((background: Background): Rules => {
  if (isScenery(background)) {
    const { on, bare, denseOn, denseBare } = SCENERY_WORDS[background];
    return {
      on,
      bare_words: bare,
      bare: { '{bare_words}': 90, '{scenery} 背景': 10 },
      scenery: bare.filter((words) => !words.includes(' ')),
      is: ['是 {bare_words}'],
      dense_on: denseOn,
      dense_bare: denseBare,
      dense_is: ['是 {dense_bare}'],
    };
  }
  const [top, bottom] = backgroundColours(background);
  const colours = { top: COLOUR_WORDS[top], bottom: COLOUR_WORDS[bottom] };
  if (top === bottom)
    return {
      ...colours,
      bare: { '{top} 背景': 88, '{top} 的 背景': 8, '纯 {top} 背景': 4 },
      on: { '{bare} 上': 85, '{bare} 前': 15 },
      is: ['是 {top}', '是 {top} 的'],
      dense_on: ['纯 {top} 的 背景 上', '纯 {top} 的 背景 前'],
      dense_bare: ['纯 {top}'],
      dense_is: ['是 纯 {top}', '是 {top} 的'],
    };
  return {
    ...colours,
    bare: ['从 {top} 到 {bottom} 的 渐变 背景', '{top} 到 {bottom} 的 渐变 背景', '{top} 渐变 到 {bottom} 的 背景'],
    on: ['{bare} 上', '{bare} 前'],
    is: ['从 {top} 渐变 到 {bottom}', '是 {top} 到 {bottom} 的 渐变'],
    dense_on: ['上方 {top} 下方 {bottom} 的 渐变 背景 上', '从 {top} 到 {bottom} 的 渐变 背景 前'],
    dense_bare: ['从 {top} 到 {bottom} 的 渐变'],
    dense_is: ['从 上方 的 {top} 渐变 到 下方 的 {bottom}', '是 从 {top} 到 {bottom} 的 渐变'],
  };
});

/** The usual name more often than each of the others. */
const namesRule = (names: readonly string[]): Rule =>
  Object.fromEntries(names.map((name, i) => [name, i === 0 ? names.length + 1 : 1]));
