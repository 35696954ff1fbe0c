/**
 * The fixed cases that an evaluation scores: held-out triples, each with its prompts, its noise seed and one real scene.
 * A pure function of (world, count, seed). Does not generate or score.
 */
import { type Language, plainCaption } from '../data/captions.ts';
import { MOTIONS } from '../data/motion.ts';
import { randomStream } from '../data/random.ts';
import { sampleScene } from '../data/sample.ts';
import type { Scene } from '../data/scene.ts';
import { allHeldOutTriples, heldOutTriples, type Triple } from '../data/split.ts';
import type { World } from '../data/world.ts';
import { inputError } from '../errors.ts';

/** Frames of a scored clip, long enough for every motion to happen once. */
export const SCORED_FRAMES = 17;

/** One case. `seed` is that of its noise; `scene` shows its triple as a training clip would. */
export type TestCase = {
  readonly triple: Triple;
  readonly prompts: Readonly<Record<Language, string>>;
  readonly seed: number;
  readonly scene: Scene;
};

/** Streams of scenes, apart from each other at any number of cases. */
const STREAM = { scored: 0, unseen: 1e6, long: 2e6 } as const;

/**
 * `count` cases; those of a smaller count are the first of a larger one.
 * @throws input error when `count` is not a whole number from 2 to the world's number of held-out triples.
 */
export function testCases(world: World, count: number, seed: number): TestCase[] {
  const most = allHeldOutTriples(world).length;
  if (!Number.isSafeInteger(count) || count < 2 || count > most)
    throw inputError('eval', `triples must be a whole number from 2 to ${most}, as many as are held out`, count);
  return heldOutTriples(world, count, seed).map((triple, i) => ({
    triple,
    prompts: { en: plainCaption(world, triple, 'en'), zh: plainCaption(world, triple, 'zh') },
    seed: seed + i,
    scene: sampleScene(randomStream(seed, STREAM.scored + i), world, { ...triple, frames: SCORED_FRAMES }),
  }));
}

/** `count` scenes of subjects that nothing was trained on, each subject and motion about equally often. */
export function unseenScenes(world: World, count: number, seed: number): Scene[] {
  const ids = world.subjects.flatMap(({ id, role }) => (role === 'unseen' ? [id] : []));
  if (ids.length === 0) return [];
  return Array.from({ length: count }, (_, i) =>
    sampleScene(randomStream(seed, STREAM.unseen + i), world, {
      role: 'unseen',
      split: 'any',
      subject: ids[i % ids.length]!,
      motion: MOTIONS[i % MOTIONS.length]!,
      frames: SCORED_FRAMES,
    }),
  );
}

/** A scene of `frames` frames for each triple. */
export function longScenes(
  world: World,
  triples: readonly Triple[],
  { frames, seed }: { frames: number; seed: number },
): Scene[] {
  return triples.map((triple, i) => sampleScene(randomStream(seed, STREAM.long + i), world, { ...triple, frames }));
}
