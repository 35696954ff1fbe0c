/**
 * Every word that captions of some subjects can contain, read off the grammars rather than off many captions.
 * Does not know tokenizers or how often a word comes.
 */
import { COLOUR_NAMES } from './background.ts';
import { CAMERAS } from './camera.ts';
import { chineseGrammar } from './captions-chinese.ts';
import { englishGrammar } from './captions-english.ts';
import {
  type Facts,
  factsOf,
  KINDS,
  type Kind,
  SIZES,
  SPEEDS,
  type Told,
  TRAVELS,
  travelOf,
} from './captions-facts.ts';
import { fragmentsOf, type Grammar } from './captions-grammar.ts';
import { MOTIONS } from './motion.ts';
import { PLACES } from './scene.ts';
import { SCENERIES } from './scenery.ts';
import type { World } from './world.ts';

/** Texts between the slots of English templates, and what fills slots: words with the spaces and marks between them. */
export const englishFragments = (world: World): string[] => [...fragments(world, englishGrammar), 'an'];

/** Chinese words, single characters and marks, each as templates have it. */
export function chineseWordsIn(world: World): string[] {
  const words = fragments(world, chineseGrammar).flatMap((text) => text.split(' '));
  return [...new Set(words.filter((word) => word !== ''))].sort();
}

type GrammarOf = (facts: Facts, kind: Kind) => Grammar;

function fragments(world: World, grammarOf: GrammarOf): string[] {
  const found = new Set<string>();
  const add = (told: Told, kind: Kind, symbol: string): void => {
    for (const facts of factsOf(world, told))
      for (const text of fragmentsOf(grammarOf(facts, kind), symbol)) found.add(text);
  };
  const ids = world.subjects.flatMap(({ id, role }) => (role === 'trained' ? [id] : []));
  // Names and sizes of all, then whole sentences of few: no other rule depends on a name.
  for (const subject of ids) for (const size of SIZES) add({ ...BASE, subject, size }, 'dense', 'a');
  for (const told of scenesOfEveryRule(ids)) for (const kind of KINDS) add(told, kind, kind);
  return [...found].sort();
}

const BASE = { background: 'red', motion: 'left' } as const;

/** Scenes in which each thing that changes a rule comes at least once. */
function scenesOfEveryRule(ids: readonly string[]): Told[] {
  const scenes: Omit<Told, 'subject'>[] = [
    ...MOTIONS.map((motion) => ({ ...BASE, motion })),
    ...SPEEDS.map((speed) => ({ ...BASE, speed })),
    ...SIZES.map((size) => ({ ...BASE, size })),
    ...[...COLOUR_NAMES, ...SCENERIES, 'red>blue' as const].map((background) => ({ ...BASE, background })),
    ...SCENERIES.flatMap((background) => CAMERAS.map((camera) => ({ ...BASE, background, camera }))),
  ];
  // Two that travel alike share a verb, so that each way to travel needs a pair of its own.
  const couples = [
    ids.slice(0, 2),
    ...TRAVELS.map((travel) => ids.filter((id) => travelOf(id) === travel).slice(0, 2)),
  ];
  return couples.flatMap(([subject, second], i) => {
    if (subject === undefined) return [];
    const told = i === 0 ? scenes : (['left', 'right'] as const).map((motion) => ({ ...BASE, motion }));
    const single = told.map((scene) => ({ ...scene, subject }));
    if (second === undefined) return single;
    return [
      ...single,
      ...single.map((scene): Told => ({ ...scene, second: { subject: second, place: 'left' } })),
      ...PLACES.map((place): Told => ({ ...BASE, subject, second: { subject: second, place } })),
    ];
  });
}
