/**
 * Every word that captions of some subjects can contain, read off the grammars rather than off many captions.
 * Does not know tokenizers or how often a word comes.
 */
import { COLOUR_NAMES } from './background.ts';
import { CAMERAS } from './camera.ts';
import { chineseGrammar } from './captions-chinese.ts';
import { englishGrammar } from './captions-english.ts';
import { type Facts, factsOf, KINDS, type Kind, SIZES, SPEEDS, type Told, TRAVELS } from './captions-facts.ts';
import { fragmentsOf, type Grammar } from './captions-grammar.ts';
import { MOTIONS } from './motion.ts';
import { PLACES, type Place } from './scene.ts';
import { SCENERIES } from './scenery.ts';
import type { World } from './world.ts';

/** Texts between the slots of English templates, and what fills slots: words with the spaces and marks between them. */
export const englishFragments = (world: World): string[] => fragments(world, englishGrammar);

/** Chinese words, single characters and marks, each as templates have it. */
export function chineseWordsIn(world: World): string[] {
  const words = fragments(world, chineseGrammar).flatMap((text) => text.split(' '));
  return [...new Set(words.filter((word) => word !== ''))].sort();
}

function fragments(world: World, grammarOf: (facts: Facts, kind: Kind) => Grammar): string[] {
  const found = new Set<string>();
  for (const scene of scenesOfEveryWord(world)) {
    for (const facts of factsOf(world, scene)) {
      for (const kind of KINDS) for (const text of fragmentsOf(grammarOf(facts, kind), kind)) found.add(text);
    }
  }
  return [...found].sort();
}

/** Scenes in which each thing that changes a rule comes at least once. */
function scenesOfEveryWord(world: World): Told[] {
  const ids = world.subjects.flatMap(({ id, role }) => (role === 'trained' ? [id] : []));
  const [first = '', another] = ids;
  const alone = { subject: first, background: 'red', motion: 'left' } as const;
  const single: Told[] = [
    ...ids.flatMap((subject) => SIZES.map((size) => ({ ...alone, subject, size }))),
    ...MOTIONS.flatMap((motion) => SPEEDS.map((speed) => ({ ...alone, motion, speed }))),
    ...[...COLOUR_NAMES, ...SCENERIES, 'red>blue' as const].flatMap((background) =>
      CAMERAS.map((camera) => ({ ...alone, background, camera })),
    ),
  ];
  if (another === undefined) return single;
  const travelOf = (subject: string) => factsOf(world, { ...alone, subject })[0].travel;
  const second = (subject: string, place: Place = 'left') => ({ second: { subject, place } });
  const pairs: Told[] = [
    ...PLACES.map((place) => ({ ...alone, ...second(another, place) })),
    ...MOTIONS.flatMap((motion) => SPEEDS.map((speed) => ({ ...alone, motion, speed, ...second(another) }))),
    // Two that travel alike share a verb.
    ...TRAVELS.flatMap((travel) => {
      const [one, two] = ids.filter((id) => travelOf(id) === travel);
      if (one === undefined || two === undefined) return [];
      return (['left', 'right'] as const).map((motion) => ({ ...alone, subject: one, motion, ...second(two) }));
    }),
  ];
  return [...single, ...pairs];
}
