/**
 * Emoji world on disk and in memory: `world.json` and one sprite file per subject.
 * Knows the cache's layout and checks what it reads; does not know how it was built nor how scenes are drawn.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { inputError, StepVideoError } from '../errors.ts';
import type { Sprite } from './sprite.ts';

/** Frames per second of every animation and clip. */
export const WORLD_FPS = 12;

/** Version of the cache layout; a cache of another version is built again. */
export const WORLD_FORMAT = 1;

const subjectSchema = z.object({
  id: z.string().min(1),
  codepoint: z.string(),
  role: z.enum(['trained', 'unseen']),
  /** Names for captions; the first is the usual one, without article. */
  english: z.array(z.string()).min(1),
  chinese: z.array(z.string()).min(1),
  /** Chinese measure word after 一. */
  measure: z.string(),
  /** The emoji's Unicode names. */
  labels: z.object({ en: z.string(), zh: z.string() }),
  frames: z.number().int().positive(),
  size: z.number().int().positive(),
  source: z.string(),
  sha256: z.string(),
});

const worldSchema = z.object({
  format: z.literal(WORLD_FORMAT),
  fps: z.literal(WORLD_FPS),
  /** Hash of everything that determines the build: packages, subjects, sizes. */
  fingerprint: z.string(),
  packages: z.array(z.object({ name: z.string(), version: z.string(), integrity: z.string(), licence: z.string() })),
  subjects: z.array(subjectSchema).min(1),
});

/** One subject as `world.json` lists it. */
export type Subject = z.infer<typeof subjectSchema>;

/** The content of `world.json`. */
export type WorldFile = z.infer<typeof worldSchema>;

/** Subjects in order, and their sprites by id. */
export type World = { readonly subjects: readonly Subject[]; sprite(id: string): Sprite; subject(id: string): Subject };

/** Path of a subject's sprite file: premultiplied RGBA8 [frames, size, size, 4], no header. */
export const spritePath = (directory: string, codepoint: string): string =>
  join(directory, 'sprites', `${codepoint}.bin`);

/** A world from parts already in memory; `sprites` must hold every subject's id. */
export function createWorld(subjects: readonly Subject[], sprites: ReadonlyMap<string, Sprite>): World {
  const byId = new Map(subjects.map((subject) => [subject.id, subject]));
  const missing = (id: string) => inputError('world', `subject must be one of ${[...byId.keys()].join(', ')}`, id);
  return {
    subjects,
    sprite: (id) => {
      const sprite = sprites.get(id);
      if (!sprite) throw missing(id);
      return sprite;
    },
    subject: (id) => {
      const subject = byId.get(id);
      if (!subject) throw missing(id);
      return subject;
    },
  };
}

/**
 * Reads a built emoji world and checks every sprite against its recorded hash.
 * @throws StepVideoError `data` when the world is not built, half built, of another version, or damaged.
 */
export async function loadWorld(directory: string): Promise<World> {
  const file = await readWorldFile(directory);
  const sprites = new Map<string, Sprite>();
  for (const subject of file.subjects) {
    const path = spritePath(directory, subject.codepoint);
    const pixels = await readFile(path).catch((cause: unknown) => {
      throw dataError('every sprite of world.json must exist', path, cause);
    });
    const expected = subject.frames * subject.size * subject.size * 4;
    if (pixels.length !== expected) throw dataError(`${path} must hold ${expected} bytes`, pixels.length);
    if (sha256(pixels) !== subject.sha256)
      throw dataError(`${path} must have sha256 ${subject.sha256}`, sha256(pixels));
    sprites.set(subject.id, { frames: subject.frames, size: subject.size, pixels });
  }
  return createWorld(file.subjects, sprites);
}

/** Reads and validates `world.json`. @throws StepVideoError `data` when it is missing or malformed. */
export async function readWorldFile(directory: string): Promise<WorldFile> {
  const path = join(directory, 'world.json');
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw dataError('the training data must be built first: there is no world.json', path, cause);
  });
  try {
    return worldSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw dataError(`world.json must be of format ${WORLD_FORMAT}`, path, cause);
  }
}

/** Lower-case hexadecimal sha256. */
export const sha256 = (data: Uint8Array | string): string => createHash('sha256').update(data).digest('hex');

const dataError = (rule: string, got: unknown, cause?: unknown): StepVideoError =>
  new StepVideoError('data', 'load world', rule, got, 'step-video data build', cause);
