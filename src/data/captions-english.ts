/**
 * Short English captions: the sentences of training, and what people type plainly. Dense ones and those that training never
 * sees are in files of their own. Lower case throughout, because prompts are matched that way.
 */
import { isScenery } from './background.ts';
import type { Camera } from './camera.ts';
import { englishDense } from './captions-english-dense.ts';
import { englishParaphrase } from './captions-english-paraphrase.ts';
import { englishPhrases, standsBeforeNoun } from './captions-english-phrases.ts';
import { type Facts, type Kind, MOST_WORDS } from './captions-facts.ts';
import { drawText, type Grammar, kept, plainestText, type Rules } from './captions-grammar.ts';
import type { Motion } from './motion.ts';
import type { Random } from './random.ts';

/** One English caption of the scene; advances `random`. */
export const englishCaption = (facts: Facts, kind: Kind, random: Random): string =>
  withArticles(drawText(englishGrammar(facts, kind), kind, random, MOST_WORDS[kind]));

/** The plainest English caption: usual names, first phrases, no size. */
export const plainEnglish = (facts: Facts): string =>
  withArticles(plainestText(englishGrammar(facts, 'plain'), 'plain'));

/** The grammar whose symbol `kind` gives the captions of that kind, "a" standing for "an" as well. */
export function englishGrammar(facts: Facts, kind: Kind): Grammar {
  const { other, motion, camera, background } = facts;
  const templates = {
    short: () => (other ? shortPair : shortSingle)(motion, camera, isScenery(background)),
    dense: () => englishDense(facts),
    paraphrase: () => englishParaphrase(facts),
    plain: () => plain(facts),
  }[kind]();
  return [...englishPhrases(facts, kind), templates];
}

function plain({ other, camera }: Facts): Rules {
  const rest = camera === 'static' ? '{where}' : '{where}, {camera}';
  return { plain: [other ? `{pair}, both {moving} ${rest}` : `a {noun} {moves} ${rest}`] };
}

/** How a short caption goes on with the camera: after a sentence, and after words between commas. */
function cameraTails(camera: Camera, scenery: boolean): Rules {
  if (camera === 'static') {
    const said = scenery ? 2 : 0;
    return { tail: { '': 100 - said, ', {camera_typed}': said }, typed_tail: [''] };
  }
  return {
    tail: { '': 15, ', {camera}': 28, ' as {camera}': 20, ' while {camera}': 22, ', {camera_typed}': 15 },
    typed_tail: { '': 15, ', {camera_typed}': 85 },
  };
}

/** Shares of 100: with a background all but 8. */
const SHORT = { '{sentence}': 66, '{sentence}.': 6, '{typed}': 20, '{without_background}': 8 };

const shortSingle = kept((motion: Motion, camera: Camera, scenery: boolean): Rules => {
  const still = motion === 'still';
  const before = standsBeforeNoun(motion) ? 1 : 0;
  const moved = camera === 'static' ? 0 : 1;
  const panned = camera.startsWith('pan') ? 1 : 0;
  return {
    ...cameraTails(camera, scenery),
    short: SHORT,
    sentence: {
      '{a} {moves} {where}{tail}': 42,
      '{a} {moving} {where}{tail}': 14,
      '{a} is {moving} {where}{tail}': 12,
      '{where}, {a} {moves}{tail}': 5,
      'a video of {a} {moving} {where}{tail}': 4,
      'the {sized} {moves} {where}{tail}': 3,
      'there is {a} {moving} {where}{tail}': 3,
      'we see {a} that {moves} {where}{tail}': 2,
      '{area}, and {a} {moves}{tail}': 4,
      '{area} behind {a} that {moves}{tail}': 3,
      '{a} {moves}, with {area} {behind_it}{tail}': 3,
      'we see {area} and {a} {moving}{tail}': 4,
      '{backdrop}. {a} {moves}{tail}': 3,
      'a {before_noun} {sized} {where}{tail}': 6 * before,
      '{camera} while {a} {moves} {where}': 10 * moved,
      '{camera} {across} {area} while {a} {moves}': 14 * panned,
      '{a} {where}{tail}': still ? 30 : 0,
    },
    typed: {
      '{sized}, {bare}, {moving}{typed_tail}': 28,
      '{sized} {moving}, {bare}{typed_tail}': 22,
      '{sized} {moving} {where_typed}{typed_tail}': 18,
      '{a} {moves}, {bare}{typed_tail}': 12,
      '{a} {moving}, {bare}{typed_tail}': 12,
      '{before_noun} {sized}, {bare}{typed_tail}': 12 * before,
      '{bare}, {a} {moves}{typed_tail}': 12,
      '{bare}, {moving}, {sized}{typed_tail}': 8,
      '{bare}, {before_noun} {sized}{typed_tail}': 8 * before,
      '{sized}, {bare}{typed_tail}': still ? 40 : 0,
    },
    without_background: {
      '{a} {moves}{typed_tail}': 25,
      '{sized} {moving}{typed_tail}': 25,
      '{a} {moving}{typed_tail}': 15,
      '{a} is {moving}{typed_tail}': 15,
      'a {before_noun} {sized}{typed_tail}': 20 * before,
      '{before_noun} {sized}{typed_tail}': 8 * before,
      '{a}{typed_tail}': still ? 20 : 0,
      '{sized}{typed_tail}': still ? 10 : 0,
    },
  };
});

const shortPair = kept((motion: Motion, camera: Camera, scenery: boolean): Rules => {
  const still = motion === 'still';
  const moved = camera === 'static' ? 0 : 1;
  const panned = camera.startsWith('pan') ? 1 : 0;
  return {
    ...cameraTails(camera, scenery),
    short: SHORT,
    sentence: {
      '{pair}, both {moving} {where}{tail}': 30,
      '{pair} {where}, both {moving}{tail}': 6,
      'a {x} is {of} a {y}, and both {move} {where}{tail}': 8,
      'a {x} {side} and a {y} {other_side}, both {moving} {where}{tail}': 10,
      'a {x} and a {y} {move} {where}, the {x} {side}{tail}': 10,
      'a {x} and a {y} {move} {where}{tail}': 6,
      'a {x} and a {y} {moving} {where}{tail}': 4,
      'a video of {pair}, both {moving} {where}{tail}': 3,
      'there is {pair}, both {moving} {where}{tail}': 2,
      '{where}, {pair}, both {moving}{tail}': 3,
      '{area}, and {pair} that both {move}{tail}': 4,
      '{area} behind {pair}, both {moving}{tail}': 4,
      'we see {area} and a {x} {side} and a {y} {other_side}, both {moving}{tail}': 3,
      '{camera} while a {x} and a {y} {move} {where}, the {x} {side}': 8 * moved,
      '{camera} {across} {area} while a {x} {side} and a {y} {other_side} {move}': 8 * panned,
      '{pair} {where}{tail}': still ? 30 : 0,
    },
    typed: {
      '{x} {of} {y}, {bare}, {moving}{typed_tail}': 25,
      '{x} {of} {y}, both {moving}, {bare}{typed_tail}': 20,
      '{x} and {y} {moving}, {bare}{typed_tail}': 8,
      '{x} and {y} {moving} {where_typed}{typed_tail}': 8,
      '{x} {side}, {y} {other_side}, {bare}, both {moving}{typed_tail}': 12,
      '{pair}, both {moving}, {bare}{typed_tail}': 15,
      '{bare}, {pair}, both {moving}{typed_tail}': 10,
      '{bare}, {x} {side}, {y} {other_side}, both {moving}{typed_tail}': 8,
      '{x} {of} {y}, {bare}{typed_tail}': still ? 35 : 0,
    },
    without_background: {
      '{pair}, both {moving}{typed_tail}': 35,
      'a {x} and a {y} {moving}{typed_tail}': 20,
      '{x} and {y} {moving}{typed_tail}': 15,
      '{x} {of} {y}, {moving}{typed_tail}': 15,
      '{pair}{typed_tail}': still ? 30 : 0,
    },
  };
});

/** "an" where a vowel sounds; "unicorn" and "ufo" begin like "you". */
const withArticles = (text: string): string => text.replace(/\ba (?=[aeiou])(?!unicorn|ufo)/g, 'an ');
