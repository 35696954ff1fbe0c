/**
 * Scores of a set of clips as an evaluation reports them: as a whole, by motion, by subject; and the floor, which is what
 * the same clips score when they are held against prompts that they were not made for.
 */
import { MOTIONS, type Motion } from '../data/motion.ts';
import type { Triple } from '../data/split.ts';
import type { World } from '../data/world.ts';
import { CLIP_SIZE } from './clip-pixels.ts';
import { type ClipScore, type ScoreSummary, scoreClip, summarizeScores } from './scorer.ts';

/** A clip's score and what it was asked for. */
export type ScoredClip = { readonly triple: Triple; readonly score: ClipScore };

export type Scores = ScoreSummary & {
  readonly byMotion: Readonly<Partial<Record<Motion, ScoreSummary>>>;
  readonly bySubject: Readonly<Record<string, ScoreSummary>>;
};

/** Scores RGB8 [frames, 128, 128, 3] against a triple. */
export const scored = (world: World, triple: Triple, pixels: Uint8Array): ScoredClip => ({
  triple,
  score: scoreClip(world, pixels, CLIP_SIZE, triple),
});

/** Shares over all clips, and over those of each motion and subject that occurs. */
export function scoresOf(clips: readonly ScoredClip[]): Scores {
  const by = <Key extends string>(keys: readonly Key[], keyOf: (triple: Triple) => string) =>
    Object.fromEntries(
      keys.flatMap((key) => {
        const own = clips.filter(({ triple }) => keyOf(triple) === key);
        return own.length === 0 ? [] : [[key, summary(own)]];
      }),
    ) as Partial<Record<Key, ScoreSummary>>;
  const subjects = [...new Set(clips.map(({ triple }) => triple.subject))].sort();
  return {
    ...summary(clips),
    byMotion: by(MOTIONS, ({ motion }) => motion),
    bySubject: by(subjects, ({ subject }) => subject) as Record<string, ScoreSummary>,
  };
}

/** Every clip against every other clip's triple: the exact mean over all ways to give it a wrong prompt of the set. */
export function floorOf(clips: readonly ScoredClip[]): ScoreSummary {
  const pairs = clips.flatMap(({ score }, i) =>
    clips.flatMap(({ triple }, j) => {
      if (i === j) return [];
      const { subject, background, motion } = score.predicted;
      return {
        ...score,
        subject: subject === triple.subject,
        background: background === triple.background,
        motion: motion === triple.motion,
      };
    }),
  );
  return summarizeScores(pairs);
}

const summary = (clips: readonly ScoredClip[]): ScoreSummary => summarizeScores(clips.map(({ score }) => score));
