/**
 * Captions of scenes: which language and kind, and the text that a vocabulary is built from.
 * The sentences themselves are in `captions-english.ts` and `captions-chinese.ts` and the files that those name.
 */
import { type Background, COLOUR_NAMES } from './background.ts';
import { CAMERAS } from './camera.ts';
import { chineseCaption, plainChinese } from './captions-chinese.ts';
import { englishCaption, plainEnglish } from './captions-english.ts';
import { factsOf, type Kind, SIZES, SPEEDS, type Told } from './captions-facts.ts';
import { wordsAndMarks } from './captions-grammar.ts';
import { chineseWordsIn, englishFragments } from './captions-vocabulary.ts';
import { MOTIONS } from './motion.ts';
import { type Random, randomStream } from './random.ts';
import { PLACES } from './scene.ts';
import { SCENERIES } from './scenery.ts';
import type { World } from './world.ts';

/** Languages of captions. */
export type Language = 'en' | 'zh';

/** Share of English among training captions; the rest is Chinese. */
const ENGLISH_SHARE = 0.7;

/** Share of dense captions among training captions; the rest is short. */
const DENSE_SHARE = 0.3;

/** A caption of the scene, short or dense, in a random language or in `language`; advances `random`. */
export function captionOf(world: World, scene: Told, random: Random, language?: Language): string {
  const chosen = language ?? (random.uniform() < ENGLISH_SHARE ? 'en' : 'zh');
  return random.uniform() < DENSE_SHARE
    ? denseCaption(world, scene, chosen, random)
    : shortCaption(world, scene, chosen, random);
}

/** `count` captions of a scene, about 70 % of them English; advances `random`. */
export function captionsOf(world: World, scene: Told, random: Random, count: number): string[] {
  return Array.from({ length: count }, () => captionOf(world, scene, random));
}

/** A short caption, as training has them: subject, motion, nearly always the background, and at times the rest. */
export const shortCaption = (world: World, scene: Told, language: Language, random: Random): string =>
  drawn('short', world, scene, language, random);

/** A dense caption, as training has them: one or two sentences that name all there is. */
export const denseCaption = (world: World, scene: Told, language: Language, random: Random): string =>
  drawn('dense', world, scene, language, random);

/**
 * A caption from templates that training never uses, of words that it does use. Names subjects, place, motion, speed,
 * background and camera move; no training caption of the same scene is equal to it. Advances `random`.
 */
export const paraphrase = (world: World, scene: Told, language: Language, random: Random): string =>
  drawn('paraphrase', world, scene, language, random);

/**
 * The plainest caption of what a scene shows, for prompts that are scored: "a panda moves left on a green background",
 * "一只熊猫在绿色背景上向左移动". A second subject, a speed and a camera move are named where the scene has them; sizes never.
 */
export function plainCaption(world: World, scene: Told, language: Language): string {
  const [facts] = factsOf(world, scene);
  return language === 'en' ? plainEnglish(facts) : plainChinese(facts);
}

function drawn(kind: Kind, world: World, scene: Told, language: Language, random: Random): string {
  const facts = random.pick(factsOf(world, scene));
  return language === 'en' ? englishCaption(facts, kind, random) : chineseCaption(facts, kind, random);
}

/** Captions of each subject and motion in the corpus, in each language. */
const CORPUS_CAPTIONS = 10;

/**
 * A corpus of both languages for the vocabulary of trained subjects: a caption a line, words about as often as in training,
 * and a last line for each language that holds every word once. Deterministic.
 */
export function allCaptionText(world: World): string[] {
  const subjects = world.subjects.filter((subject) => subject.role === 'trained');
  const lines: string[] = [];
  for (const [s, subject] of subjects.entries()) {
    for (const [m, motion] of MOTIONS.entries()) {
      const random = randomStream(s, m);
      for (let i = 0; i < CORPUS_CAPTIONS; i++) {
        const second = random.pick(subjects);
        const scene: Told = {
          ...{ subject: subject.id, motion, background: someBackground(random) },
          ...{ size: random.pick(SIZES), speed: random.pick(SPEEDS), camera: random.pick(CAMERAS) },
          ...(random.uniform() < 0.15 && second !== subject
            ? { second: { subject: second.id, place: random.pick(PLACES) } }
            : {}),
        };
        lines.push(captionOf(world, scene, random, 'en'), captionOf(world, scene, random, 'zh'));
      }
    }
  }
  // A lone full stop would make the next word the first of a sentence.
  const words = englishFragments(world).filter((text) => /[a-z]/.test(text));
  return [...lines, words.join(' '), chineseWordsIn(world).join('，')];
}

/** Chinese words of more than one character in the captions of trained subjects, to be kept whole by a tokenizer. */
export const chineseWords = (world: World): string[] => chineseWordsIn(world).filter((word) => word.length > 1);

/** Every English word, Chinese word and single Chinese character that captions of trained subjects can contain. */
export function captionWords(world: World): string[] {
  const english = englishFragments(world).flatMap(wordsAndMarks);
  return [...new Set(english), ...chineseWordsIn(world)];
}

function someBackground(random: Random): Background {
  const kind = random.uniform();
  if (kind < 0.2) return random.pick(SCENERIES);
  const colour = random.pick(COLOUR_NAMES);
  return kind < 0.8 ? colour : `${colour}>${random.pick(COLOUR_NAMES.filter((other) => other !== colour))}`;
}
