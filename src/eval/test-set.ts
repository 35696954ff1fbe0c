/**
 * The fixed cases that an evaluation scores, each with its prompts, its noise seed and one real scene of what they ask for.
 * A pure function of (what a model knows, count, seed, frames). Does not generate or score.
 */
import { randomStream } from '../data/random.ts';
import { isPairMotion, PLAIN_MIX, type SampleOptions, sampleScene } from '../data/sample.ts';
import type { Scene } from '../data/scene.ts';
import { allHeldOutTriples, heldOutTriples, type Triple } from '../data/split.ts';
import { inputError } from '../errors.ts';
import type { Knowledge } from './knowledge.ts';
import { otherPrompts, type Prompts, plainPrompts } from './prompts.ts';

/** Frames of a scored clip unless told: long enough for every motion to show what it is. */
export const SCORED_FRAMES = 34;

/** What is scored: held-out triples, the same in other words, sceneries under a camera, two subjects. */
export const SETS = ['main', 'paraphrased', 'sceneries', 'pairs'] as const;
export type SetName = (typeof SETS)[number];

/** One case. `seed` is that of its noise; `scene` shows what its prompts ask for as a training clip would. */
export type TestCase = {
  readonly scene: Scene;
  readonly prompts: Prompts;
  readonly seed: number;
};

/** Which cases: `count` of them, those of a smaller count being the first of a larger one. */
export type CaseOptions = { readonly count: number; readonly seed: number; readonly frames: number };

/** Streams of scenes, apart from each other at any number of cases. */
const STREAM = { scored: 0, unseen: 1e6, long: 2e6, sceneries: 3e6, pairs: 4e6, words: 5e6 } as const;

/**
 * Cases of one set; none where the model does not know what it asks for.
 * @throws input error when `count` is not a whole number from 2 to the number of held-out triples that the model knows.
 */
export function testCases(known: Knowledge, set: SetName, options: CaseOptions): TestCase[] {
  switch (set) {
    case 'main':
      return mainCases(known, options);
    case 'paraphrased':
      return known.paraphrases ? paraphrasedCases(known, options) : [];
    case 'sceneries':
      return sceneryCases(known, options);
    case 'pairs':
      return pairCases(known, options);
  }
}

function mainCases(known: Knowledge, { count, seed, frames }: CaseOptions): TestCase[] {
  const { world } = known;
  const keep = ({ background, motion }: Triple): boolean =>
    known.colours.includes(background) && known.motions.includes(motion);
  const most = allHeldOutTriples(world).filter(keep).length;
  if (!Number.isSafeInteger(count) || count < 2 || count > most)
    throw inputError('eval', `triples must be a whole number from 2 to ${most}, as many as are held out`, count);
  return heldOutTriples(world, count, seed, keep).map((triple, i) =>
    testCase(known, i, { stream: STREAM.scored, seed, scene: { ...triple, frames, mix: PLAIN_MIX } }),
  );
}

/** The main cases again, said in other words. */
function paraphrasedCases(known: Knowledge, options: CaseOptions): TestCase[] {
  return mainCases(known, options).map((each, i) => ({
    ...each,
    prompts: otherPrompts(known.world, each.scene, { seed: options.seed, stream: STREAM.words + i }),
  }));
}

/** Every scenery under every camera in turn; subjects and motions as drawn. */
function sceneryCases(known: Knowledge, { count, seed, frames }: CaseOptions): TestCase[] {
  const { sceneries, cameras } = known;
  return Array.from({ length: sceneries.length === 0 ? 0 : count }, (_, i) => {
    const background = sceneries[i % sceneries.length]!;
    const camera = cameras[Math.floor(i / sceneries.length) % cameras.length]!;
    return drawnCase(known, i, { stream: STREAM.sceneries, seed, scene: { background, camera, frames } });
  });
}

/** Two subjects on a plain colour. */
function pairCases(known: Knowledge, { count, seed, frames }: CaseOptions): TestCase[] {
  const motions = known.motions.filter(isPairMotion);
  const subjects = known.world.subjects.filter(({ role }) => role === 'trained');
  const isAble = known.pairs && motions.length > 0 && subjects.length > 1;
  return Array.from({ length: isAble ? count : 0 }, (_, i) => {
    const scene = { motion: motions[i % motions.length]!, frames, mix: { ...PLAIN_MIX, pairs: 1 } };
    return drawnCase(known, i, { stream: STREAM.pairs, seed, scene });
  });
}

type Draw = { readonly stream: number; readonly seed: number; readonly scene: SampleOptions };

/** A case whose open parts are drawn among what the model knows, whether trained or held out. */
function drawnCase(known: Knowledge, i: number, draw: Draw): TestCase {
  const random = randomStream(draw.seed, draw.stream + i);
  const subjects = known.world.subjects.filter(({ role }) => role === 'trained');
  const parts = {
    subject: random.pick(subjects).id,
    background: random.pick(known.colours),
    motion: random.pick(known.motions),
  };
  const scene: SampleOptions = { ...parts, mix: PLAIN_MIX, split: 'any', ...draw.scene };
  return testCase(known, i, { ...draw, stream: draw.stream + 1e5, scene });
}

function testCase({ world }: Knowledge, i: number, { stream, seed, scene: options }: Draw): TestCase {
  const scene = sampleScene(randomStream(seed, stream + i), world, options);
  return { scene, prompts: plainPrompts(world, scene), seed: seed + i };
}

/** `count` scenes of subjects that nothing was trained on, each subject and motion about equally often. */
export function unseenScenes(known: Knowledge, { count, seed, frames }: CaseOptions): Scene[] {
  const { world, motions, colours } = known;
  const ids = world.subjects.flatMap(({ id, role }) => (role === 'unseen' ? [id] : []));
  if (ids.length === 0) return [];
  return Array.from({ length: count }, (_, i) => {
    const random = randomStream(seed, STREAM.unseen + i);
    return sampleScene(random, world, {
      ...{ role: 'unseen', split: 'any', frames, mix: PLAIN_MIX },
      subject: ids[i % ids.length]!,
      motion: motions[i % motions.length]!,
      background: random.pick(colours),
    });
  });
}

/** A scene of `frames` frames for what each of the given ones shows. */
export function longScenes(
  { world }: Knowledge,
  scenes: readonly Scene[],
  { frames, seed }: Pick<CaseOptions, 'frames' | 'seed'>,
): Scene[] {
  return scenes.map(({ subject, background, motion }, i) =>
    sampleScene(randomStream(seed, STREAM.long + i), world, { subject, background, motion, frames, mix: PLAIN_MIX }),
  );
}
