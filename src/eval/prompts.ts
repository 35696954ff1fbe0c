/**
 * The sentences that a model is asked with: the plainest one that says all of a scene, and another way to say it that
 * training never uses. Does not choose scenes.
 */
import { isScenery } from '../data/background.ts';
import { captionOf, type Language, plainCaption } from '../data/captions.ts';
import { type Random, randomStream } from '../data/random.ts';
import type { Scene } from '../data/scene.ts';
import type { World } from '../data/world.ts';

/** A sentence from templates that no training caption is made of; advances `random`. */
export type Paraphrase = (world: World, scene: Scene, language: Language, random: Random) => string;

/** None yet: the set of paraphrased prompts is left out. */
export const paraphrase = undefined as Paraphrase | undefined;

/** What a case asks for. Scenes of more than a subject, a colour and a motion are told as training captions tell them. */
export function promptOf(world: World, scene: Scene, language: Language): string {
  const isPlain = !scene.second && !isScenery(scene.background);
  return isPlain ? plainCaption(world, scene, language) : captionOf(world, scene, randomStream(0), language);
}
