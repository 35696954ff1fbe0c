/**
 * The sentences that a model is asked with: the plainest one that says all of a scene, and another way to say it that
 * training never uses. Does not choose scenes.
 */
import { type Language, paraphrase, plainCaption } from '../data/captions.ts';
import { randomStream } from '../data/random.ts';
import type { Scene } from '../data/scene.ts';
import type { World } from '../data/world.ts';

/** What a case asks for, in both languages. */
export type Prompts = Readonly<Record<Language, string>>;

export const plainPrompts = (world: World, scene: Scene): Prompts => ({
  en: plainCaption(world, scene, 'en'),
  zh: plainCaption(world, scene, 'zh'),
});

/** The same in sentences of templates that no training caption is made of; `words` chooses among them. */
export const otherPrompts = (world: World, scene: Scene, words: { seed: number; stream: number }): Prompts => ({
  en: paraphrase(world, scene, 'en', randomStream(words.seed, words.stream)),
  zh: paraphrase(world, scene, 'zh', randomStream(words.seed, words.stream)),
});
