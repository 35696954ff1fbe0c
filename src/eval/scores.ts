/**
 * Scores of a set of clips as an evaluation reports them: as a whole, by motion, subject, background and camera; and the
 * floor, which is what the same clips score when they are held against prompts that they were not made for.
 */
import type { Scene } from '../data/scene.ts';
import { CLIP_SIZE } from './clip-pixels.ts';
import type { Knowledge } from './knowledge.ts';
import { judge, type Reading, readClip, type Verdict } from './scorer.ts';

/** A clip's reading and what it was asked for. */
export type ScoredClip = { readonly scene: Scene; readonly reading: Reading; readonly verdict: Verdict };

/** Shares in [0, 1] over a set of clips. `all` is subject, background and motion together. */
export type ScoreSummary = { readonly clips: number; readonly all: number } & Readonly<Record<keyof Verdict, number>>;

/** Means of what needs no prompt. Flicker is absent where no clip had a still camera. */
export type Measures = {
  readonly likeness: number;
  /** Share of clips whose first and last frame show the same subject. */
  readonly identity: number;
  readonly roughness: number;
  readonly flicker?: { readonly all: number; readonly background: number; readonly subject: number };
};

/** What scores are broken down by. */
export const KINDS = ['motion', 'subject', 'background', 'camera'] as const;
export type Kind = (typeof KINDS)[number];

export type Scores = ScoreSummary & {
  readonly measures: Measures;
  readonly by: Readonly<Record<Kind, Readonly<Record<string, ScoreSummary>>>>;
};

/** Reads RGB8 [frames, 128, 128, 3] and holds it against a scene. */
export function scored({ world, motions }: Pick<Knowledge, 'world' | 'motions'>, scene: Scene, pixels: Uint8Array) {
  const reading = readClip(world, pixels, CLIP_SIZE, motions);
  return { scene, reading, verdict: judge(reading, scene) } satisfies ScoredClip;
}

/** Shares over all clips, and over those of each kind that occurs. */
export function scoresOf(clips: readonly ScoredClip[]): Scores {
  const by = (kind: Kind): Record<string, ScoreSummary> => {
    const names = [...new Set(clips.map(({ scene }) => scene[kind]))].sort();
    return Object.fromEntries(names.map((name) => [name, summary(clips.filter(({ scene }) => scene[kind] === name))]));
  };
  return {
    ...summary(clips),
    measures: measuresOf(clips.map(({ reading }) => reading)),
    by: { motion: by('motion'), subject: by('subject'), background: by('background'), camera: by('camera') },
  };
}

/** Every clip against every other clip's scene: the exact mean over all ways to give it a wrong prompt of the set. */
export function floorOf(clips: readonly ScoredClip[]): ScoreSummary {
  return summarize(
    clips.flatMap(({ reading }, i) => clips.flatMap(({ scene }, j) => (i === j ? [] : [judge(reading, scene)]))),
  );
}

const summary = (clips: readonly ScoredClip[]): ScoreSummary => summarize(clips.map(({ verdict }) => verdict));

function summarize(verdicts: readonly Verdict[]): ScoreSummary {
  const share = (met: (verdict: Verdict) => boolean) => verdicts.filter(met).length / Math.max(1, verdicts.length);
  return {
    clips: verdicts.length,
    subject: share(({ subject }) => subject),
    background: share(({ background }) => background),
    motion: share(({ motion }) => motion),
    all: share(({ subject, background, motion }) => subject && background && motion),
    camera: share(({ camera }) => camera),
    count: share(({ count }) => count),
    place: share(({ place }) => place),
  };
}

function measuresOf(readings: readonly Reading[]): Measures {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const flicker = readings.flatMap((reading) => (reading.flicker ? [reading.flicker] : []));
  return {
    likeness: mean(readings.map(({ likeness }) => likeness)),
    identity: mean(readings.map(({ identity }) => Number(identity))),
    roughness: mean(readings.map(({ roughness }) => roughness)),
    ...(flicker.length > 0 && {
      flicker: {
        all: mean(flicker.map(({ all }) => all)),
        background: mean(flicker.map(({ background }) => background)),
        subject: mean(flicker.map(({ subject }) => subject)),
      },
    }),
  };
}
