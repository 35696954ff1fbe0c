/**
 * Which subject a clip's foreground looks like most: normalised correlation with every subject's own sprite.
 * No learned weights: shape and colour both count, position, size and contrast do not. Does not judge motion.
 */
import type { World } from '../data/world.ts';
import type { Blob, Foreground } from './foreground.ts';
import {
  likeness,
  type Patch,
  type PatchBackground,
  patchBackground,
  patchOf,
  type Template,
  templatesOf,
} from './template.ts';

/** A subject and how alike the clip's frames are to it on average, at most 1. */
export type SubjectMatch = { readonly subject: string; readonly likeness: number };

/** Frames of an animation that are tried, and turns (radians), enough to recognise a subject that spins. */
const TRIED_FRAMES = 6;
const TRIED_TURNS = [0, 32, 64, 96].map((degrees) => (degrees * Math.PI) / 180);

/** The trained subjects by likeness, best first. `every` frame of this many is looked at. */
export function matchSubjects(world: World, foreground: Foreground, every = 2): SubjectMatch[] {
  const patches: Patch[] = [];
  for (let frame = 0; frame < foreground.frames; frame += every) patches.push(patchOf(foreground, frame));
  const background = patchBackground(foreground, meanBlob(foreground.blobs));
  const matches = world.subjects
    .filter((subject) => subject.role === 'trained')
    .map(({ id }) => {
      const templates = subjectTemplates(world, id, background);
      let sum = 0;
      for (const patch of patches) sum += Math.max(...templates.map((template) => likeness(patch, template.patch)));
      return { subject: id, likeness: sum / patches.length };
    });
  return matches.sort((a, b) => b.likeness - a.likeness);
}

/** Where the foreground is on average over the clip, and how large. */
export function meanBlob(blobs: readonly Blob[]): Blob {
  const mean = (value: (blob: Blob) => number) => blobs.reduce((sum, blob) => sum + value(blob), 0) / blobs.length;
  return { x: mean((blob) => blob.x), y: mean((blob) => blob.y), extent: mean((blob) => blob.extent) };
}

function subjectTemplates(world: World, id: string, background: PatchBackground): Template[] {
  const sprite = world.sprite(id);
  const count = Math.min(TRIED_FRAMES, sprite.frames);
  const frames = Array.from({ length: count }, (_, i) => Math.floor((i * sprite.frames) / count));
  return frames.flatMap((frame) => templatesOf(sprite, frame, TRIED_TURNS, background));
}
