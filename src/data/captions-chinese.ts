/**
 * Short Chinese captions: the sentences of training, and what people type plainly. Dense ones and those that training never
 * sees are in files of their own. Templates have a space between words; captions have none.
 */
import { isScenery } from './background.ts';
import type { Camera } from './camera.ts';
import { chineseDense } from './captions-chinese-dense.ts';
import { chineseParaphrase } from './captions-chinese-paraphrase.ts';
import { chinesePhrases } from './captions-chinese-phrases.ts';
import { type Facts, type Kind, MOST_WORDS } from './captions-facts.ts';
import { drawText, type Grammar, kept, plainestText, type Rules } from './captions-grammar.ts';
import type { Motion } from './motion.ts';
import type { Random } from './random.ts';

/** One Chinese caption of the scene with a space between words; advances `random`. */
export const chineseWordsOfCaption = (facts: Facts, kind: Kind, random: Random): string =>
  drawText(chineseGrammar(facts, kind), kind, random, MOST_WORDS[kind]);

/** One Chinese caption of the scene; advances `random`. */
export const chineseCaption = (facts: Facts, kind: Kind, random: Random): string =>
  joined(chineseWordsOfCaption(facts, kind, random));

/** The plainest Chinese caption: usual names, first phrases, no size. */
export const plainChinese = (facts: Facts): string => joined(plainestText(chineseGrammar(facts, 'plain'), 'plain'));

/** The grammar whose symbol `kind` gives the captions of that kind, with a space between words. */
export function chineseGrammar(facts: Facts, kind: Kind): Grammar {
  const { other, motion, camera, background } = facts;
  const templates = {
    short: () => (other ? shortPair : shortSingle)(motion, camera, isScenery(background)),
    dense: () => chineseDense(facts),
    paraphrase: () => chineseParaphrase(facts),
    plain: () => plain(facts),
  }[kind]();
  return [...chinesePhrases(facts, kind), templates];
}

const joined = (words: string): string => words.replaceAll(' ', '');

function plain({ other, camera }: Facts): Rules {
  const rest = camera === 'static' ? '在 {on} {act}' : '在 {on} {act} ， {camera}';
  return { plain: [other ? `{pair} ， 都 ${rest}` : `一 {measure} {name} ${rest}`] };
}

/** How a short caption goes on with the camera. */
function cameraTail(camera: Camera, scenery: boolean): Rules {
  if (camera !== 'static') return { tail: { '': 15, ' ， {camera}': 85 } };
  const said = scenery ? 2 : 0;
  return { tail: { '': 100 - said, ' ， {camera}': said } };
}

/** Shares of 100: with a background all but 8. */
const SHORT = { '{sentence}': 68, '{sentence} 。': 6, '{typed}': 18, '{without_background}': 8 };

const shortSingle = kept((motion: Motion, camera: Camera, scenery: boolean): Rules => {
  const still = motion === 'still';
  const moved = camera === 'static' ? 0 : 1;
  return {
    ...cameraTail(camera, scenery),
    short: SHORT,
    sentence: {
      '{a} 在 {on} {act}{tail}': 42,
      '{a} {at_now} {act}{tail}': 10,
      '{thing} 在 {on} {act}{tail}': 10,
      '{on} ， {a} {act}{tail}': 8,
      '{on} ， {a} {doing}{tail}': 4,
      '{a} {act} ， 背景 {is}{tail}': 10,
      '画面 里 有 {a} 在 {on} {act}{tail}': 3,
      '{camera} ， {a} 在 {on} {act}': 10 * moved,
      '随着 {camera} ， {a} 在 {on} {act}': 5 * moved,
      '{a} 在 {on}{tail}': still ? 30 : 0,
    },
    typed: {
      '{thing} ， {bare} ， {act}{tail}': 30,
      '{thing} {act} ， {bare}{tail}': 25,
      '{a} ， {bare} ， {act}{tail}': 15,
      '{act} 的 {thing} ， {bare}{tail}': 15,
      '一 {measure} {act} 的 {thing} ， {bare}{tail}': 15,
      '{thing} ， {bare}{tail}': still ? 40 : 0,
    },
    without_background: {
      '{a} {act}{tail}': 25,
      '{thing} {act}{tail}': 25,
      '{a} {doing}{tail}': 15,
      '{a} {is_doing}{tail}': 10,
      '一 {measure} {act} 的 {thing}{tail}': 20,
      '{a}{tail}': still ? 20 : 0,
      '{thing}{tail}': still ? 10 : 0,
    },
  };
});

const shortPair = kept((motion: Motion, camera: Camera, scenery: boolean): Rules => {
  const still = motion === 'still';
  const moved = camera === 'static' ? 0 : 1;
  return {
    ...cameraTail(camera, scenery),
    short: SHORT,
    sentence: {
      '{pair} ， 都 在 {on} {act}{tail}': 25,
      '{pair} ， 一起 在 {on} {act}{tail}': 20,
      '{pair} ， 它们 {at_now} {act}{tail}': 10,
      '{a_x} 和 {a_y} 在 {on} {act} ， {x} 在 {side}{tail}': 14,
      '{a_x} 和 {a_y} 在 {on} {act}{tail}': 10,
      '{here} 是 {a_x} ， {there} 是 {a_y} ， 都 在 {on} {act}{tail}': 12,
      '{on} ， {a_x} 和 {a_y} 一起 {act} ， {x} 在 {side}{tail}': 6,
      '{camera} ， {a_x} 和 {a_y} 在 {on} {act} ， {x} 在 {side}': 8 * moved,
      '{pair} ， 背景 {is}{tail}': still ? 30 : 0,
    },
    typed: {
      '{x} 在 {y} {side} ， {bare} ， {act}{tail}': 35,
      '{x} 在 {y} {side} ， 都 {is_doing} ， {bare}{tail}': 20,
      '{x} 和 {y} ， {bare} ， {act}{tail}': 12,
      '{a_x} 和 {a_y} ， {bare} ， {act}{tail}': 8,
      '{x} 在 {y} {side} ， {bare}{tail}': still ? 35 : 0,
    },
    without_background: {
      '{pair} ， 都 {is_doing}{tail}': 35,
      '{a_x} 和 {a_y} {act}{tail}': 30,
      '{x} 和 {y} {act}{tail}': 15,
      '{pair}{tail}': still ? 30 : 0,
    },
  };
});
