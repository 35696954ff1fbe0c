/**
 * Scores a clip against what its prompt asked for: right background, right subject, right motion.
 * Compares with the sprites and trajectories that the clips are made of; nothing is learned, so nothing can be overfitted.
 * Does not generate, and does not know which model made the clip.
 */
import type { Background } from '../data/background.ts';
import type { Motion } from '../data/motion.ts';
import type { Scene } from '../data/scene.ts';
import type { World } from '../data/world.ts';
import { inputError } from '../errors.ts';
import { separate } from './foreground.ts';
import { fitMotions } from './motion-fit.ts';
import { matchSubjects } from './subject-match.ts';

/** What was asked for. */
export type Expected = Pick<Scene, 'subject' | 'background' | 'motion'>;

/** What the scorer sees in a clip, and which parts of the expectation that meets. */
export type ClipScore = {
  readonly background: boolean;
  readonly subject: boolean;
  readonly motion: boolean;
  readonly predicted: { readonly background: Background; readonly subject: string; readonly motion: Motion };
  /** Mean likeness of the frames to the predicted subject, at most 1: about .9 for real clips, lower for mush. */
  readonly likeness: number;
};

/**
 * Scores RGB8 frames [frames, height, width, 3] of 12 frames/s; 17 frames show every motion once.
 * @throws StepVideoError `input` when the byte count is not a whole number of frames, or there is only one frame.
 */
export function scoreClip(
  world: World,
  frames: Uint8Array,
  size: { width: number; height: number },
  expected: Expected,
): ClipScore {
  const bytes = size.width * size.height * 3;
  if (frames.length === 0 || frames.length % bytes !== 0) {
    throw inputError('score', `clip must hold whole frames of ${bytes} bytes`, frames.length);
  }
  if (frames.length < 2 * bytes) throw inputError('score', 'motion needs at least two frames', 1);
  const foreground = separate(frames, size);
  const [match] = matchSubjects(world, foreground);
  const [fit] = fitMotions(world, foreground, match!.subject);
  const predicted = { background: foreground.background, subject: match!.subject, motion: fit!.motion };
  return {
    background: predicted.background === expected.background,
    subject: predicted.subject === expected.subject,
    motion: predicted.motion === expected.motion,
    predicted,
    likeness: match!.likeness,
  };
}

/** Shares in [0, 1] over a set of clips. */
export type ScoreSummary = { clips: number; subject: number; background: number; motion: number; all: number };

/** Shares of clips that meet each part of their expectation, and all three. */
export function summarizeScores(scores: readonly ClipScore[]): ScoreSummary {
  const share = (met: (score: ClipScore) => boolean) => scores.filter(met).length / Math.max(1, scores.length);
  return {
    clips: scores.length,
    subject: share((score) => score.subject),
    background: share((score) => score.background),
    motion: share((score) => score.motion),
    all: share((score) => score.subject && score.background && score.motion),
  };
}

/** A table of summaries by name, one line each, for a terminal. */
export function formatScores(rows: Readonly<Record<string, ScoreSummary>>): string {
  const names = Object.keys(rows);
  const width = Math.max(...names.map((name) => name.length), 'clips of'.length);
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(width) : cell.padStart(10))).join(' ');
  const cells = names.map((name) => {
    const { clips, subject, background, motion, all } = rows[name]!;
    return line([name, String(clips), ...[subject, background, motion, all].map((share) => share.toFixed(2))]);
  });
  return [line(['clips of', 'clips', 'subject', 'background', 'motion', 'all three']), ...cells].join('\n');
}
