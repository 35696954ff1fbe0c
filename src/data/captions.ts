/**
 * Captions of scenes: which language, and the text that a vocabulary is built from.
 * The sentences themselves are in `captions-english.ts` and `captions-chinese.ts`.
 */
import { COLOUR_NAMES } from './background.ts';
import { chineseCaption, chineseCharactersOf, chineseWordsOf, plainChinese } from './captions-chinese.ts';
import { englishCaption, englishWords, plainEnglish } from './captions-english.ts';
import { MOTIONS } from './motion.ts';
import { type Random, randomStream } from './random.ts';
import { type Scene, SIZE_WIDTHS, type SizeName } from './scene.ts';
import type { Subject, World } from './world.ts';

/** Languages of captions. */
export type Language = 'en' | 'zh';

/** Share of English among training captions; the rest is Chinese. */
const ENGLISH_SHARE = 0.7;

/** A caption of the scene in a random language, or in `language`; advances `random`. */
export function captionOf(world: World, scene: Scene, random: Random, language?: Language): string {
  const chosen = language ?? (random.uniform() < ENGLISH_SHARE ? 'en' : 'zh');
  const subject = world.subject(scene.subject);
  return chosen === 'en' ? englishCaption(subject, scene, random) : chineseCaption(subject, scene, random);
}

/** `count` captions of a scene, about 70 % of them English; advances `random`. */
export function captionsOf(world: World, scene: Scene, random: Random, count: number): string[] {
  return Array.from({ length: count }, () => captionOf(world, scene, random));
}

/**
 * The plainest caption of what a scene shows, for prompts that are scored: "a panda moves left on a green background",
 * "一只熊猫在绿色背景上向左移动".
 */
export function plainCaption(
  world: World,
  scene: Pick<Scene, 'subject' | 'background' | 'motion'>,
  language: Language,
): string {
  const subject = world.subject(scene.subject);
  return language === 'en' ? plainEnglish(subject, scene) : plainChinese(subject, scene);
}

/**
 * A corpus that holds every word of every template about as often as training does: one line a caption, both languages,
 * trained subjects only. Deterministic.
 */
export function allCaptionText(world: World): string[] {
  const lines: string[] = [];
  const sizes = Object.keys(SIZE_WIDTHS) as SizeName[];
  const start = { x: 0, y: 0, width: 1, angle: 0 };
  for (const [s, subject] of trainedSubjects(world).entries()) {
    for (const [m, motion] of MOTIONS.entries()) {
      for (const [c, colour] of COLOUR_NAMES.entries()) {
        const random = randomStream(s, m * COLOUR_NAMES.length + c);
        const other = COLOUR_NAMES[(c + 1 + random.integer(COLOUR_NAMES.length - 1)) % COLOUR_NAMES.length]!;
        for (const background of [colour, colour, colour, `${colour}>${other}` as const]) {
          const scene: Scene = {
            ...{ subject: subject.id, background, motion, size: random.pick(sizes), start, phase: 0 },
            ...{ speed: 'normal', pace: 1, camera: 'static', aspect: 'square' },
          };
          lines.push(captionOf(world, scene, random, 'en'), captionOf(world, scene, random, 'zh'));
        }
      }
    }
  }
  return lines;
}

/** Chinese words of more than one character in the captions of trained subjects, to be kept whole by a tokenizer. */
export const chineseWords = (world: World): string[] => chineseWordsOf(trainedSubjects(world));

/** Every English word, Chinese word and single Chinese character that captions of trained subjects can contain. */
export function captionWords(world: World): string[] {
  const subjects = trainedSubjects(world);
  return [...englishWords(subjects), ...chineseWordsOf(subjects), ...chineseCharactersOf(subjects)];
}

const trainedSubjects = (world: World): Subject[] => world.subjects.filter((subject) => subject.role === 'trained');
