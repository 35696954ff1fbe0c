/**
 * Which subject a clip's foreground looks like most: normalised correlation with every subject's own sprite.
 * No learned weights: shape and colour both count, position, size and contrast do not. Does not judge motion.
 */
import type { World } from '../data/world.ts';
import type { Blob, Foreground } from './foreground.ts';
import { likeness, type PatchBackground, patchBackground, patchOf, type Template, templatesOf } from './template.ts';

/** A subject and how alike the clip's frames are to it on average, at most 1. */
export type SubjectMatch = { readonly subject: string; readonly likeness: number };

/** Likeness of subjects in each of the frames that were looked at. */
export type LikenessTable = readonly { readonly subject: string; readonly byFrame: readonly number[] }[];

/** How many frames of a sprite's animation are tried, and in which turns (radians). */
export type Poses = { readonly frames: number; readonly turns: readonly number[] };

const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** Enough to tell which subjects come into question. */
export const FEW_POSES: Poses = { frames: 3, turns: [0, 32, 64, 96].map(radians) };

/** All round, so that a subject that spins is recognised in each frame alone. */
const MANY_POSES: Poses = { frames: 6, turns: Array.from({ length: 15 }, (_, i) => radians(i * 24)) };

/** Subjects that come into question: so many by the whole clip, and by its first and its last frame. */
const CANDIDATES = { whole: 6, end: 3 };

/** Compares the given frames of a clip with the named subjects. */
export function likenessTable(
  world: World,
  foreground: Foreground,
  { frames, subjects, poses }: { frames: readonly number[]; subjects: readonly string[]; poses: Poses },
): LikenessTable {
  const patches = frames.map((frame) => patchOf(foreground, frame));
  const background = patchBackground(foreground, meanBlob(foreground.blobs));
  return subjects.map((subject) => {
    const byFrame = new Array<number>(frames.length).fill(-1);
    for (const template of subjectTemplates(world, subject, { background, poses }))
      patches.forEach((patch, i) => {
        byFrame[i] = Math.max(byFrame[i]!, likeness(patch, template.patch));
      });
    return { subject, byFrame };
  });
}

/** Ids of the trained subjects of a world. */
export const trainedSubjects = (world: World): string[] =>
  world.subjects.flatMap(({ id, role }) => (role === 'trained' ? [id] : []));

/** The subjects that a rough table leaves in question, each looked at in many poses. */
export function refined(
  world: World,
  foreground: Foreground,
  { rough, frames }: { rough: LikenessTable; frames: readonly number[] },
): LikenessTable {
  const matches = [
    ...ranked(rough).slice(0, CANDIDATES.whole),
    ...[0, frames.length - 1].flatMap((end) => ranked(rough, [end]).slice(0, CANDIDATES.end)),
  ];
  const subjects = [...new Set(matches.map(({ subject }) => subject))];
  return likenessTable(world, foreground, { frames, subjects, poses: MANY_POSES });
}

/** The best subject over the table's frames, or over those at the given places of it. */
export const bestMatch = (table: LikenessTable, places?: readonly number[]): SubjectMatch => ranked(table, places)[0]!;

function ranked(table: LikenessTable, places?: readonly number[]): SubjectMatch[] {
  const matches = table.map(({ subject, byFrame }) => {
    const own = places ? places.map((place) => byFrame[place]!) : byFrame;
    return { subject, likeness: own.reduce((sum, value) => sum + value, 0) / own.length };
  });
  return matches.sort((a, b) => b.likeness - a.likeness);
}

/** Where the foreground is on average over the clip, and how large. */
export function meanBlob(blobs: readonly Blob[]): Blob {
  const mean = (value: (blob: Blob) => number) => blobs.reduce((sum, blob) => sum + value(blob), 0) / blobs.length;
  return { x: mean((blob) => blob.x), y: mean((blob) => blob.y), extent: mean((blob) => blob.extent) };
}

function subjectTemplates(
  world: World,
  id: string,
  { background, poses }: { background: PatchBackground; poses: Poses },
): Template[] {
  const sprite = world.sprite(id);
  const count = Math.min(poses.frames, sprite.frames);
  const frames = Array.from({ length: count }, (_, i) => Math.floor((i * sprite.frames) / count));
  return frames.flatMap((frame) => templatesOf(sprite, frame, poses.turns, background));
}
