/**
 * A directory of someone's own clips: which files are clips, and the captions beside them (`NAME.txt` for `NAME.mp4`).
 * Reads names and captions; opens no video.
 */
import type { Dirent } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { StepVideoError } from '../errors.ts';

/** Videos, animations and pictures by their extension; a folder of `frame-0000.png` … is a clip too. */
export const CLIP_EXTENSIONS = ['mp4', 'm4v', 'mov', 'mkv', 'webm', 'avi', 'gif', 'webp', 'png', 'jpg', 'jpeg'];

/** One clip that may turn out not to be one. */
export type ClipFile = {
  /** Path below the directory, with `/`. */
  readonly name: string;
  /** `name` without its extension: what a caption file shares with its clip. */
  readonly stem: string;
  readonly path: string;
  /** Changes when the content does: size and time of the last change. */
  readonly stamp: string;
  /** One a line of the caption file; empty where `captionProblem` says what is wrong with it. */
  readonly captions: readonly string[];
  readonly captionProblem: string | undefined;
};

/** Clips by name, and caption files that have no clip. */
export type ClipFolder = { readonly files: readonly ClipFile[]; readonly orphans: readonly string[] };

/** A caption file holds a few lines; anything larger is something else. */
const MOST_CAPTION_BYTES = 64 << 10;

const NUMBERED_FRAME = /^frame-\d{4,}\.png$/;

/** Everything below `directory`, hidden files left out. @throws data error where it cannot be read. */
export async function scanClipFolder(directory: string): Promise<ClipFolder> {
  const clips: { name: string; stem: string }[] = [];
  const captions = new Set<string>();
  const visit = async (folder: string): Promise<void> => {
    const entries = await list(path.join(directory, folder));
    const at = (name: string): string => (folder === '' ? name : `${folder}/${name}`);
    if (folder !== '' && entries.some(({ name }) => NUMBERED_FRAME.test(name))) {
      clips.push({ name: folder, stem: folder });
      return;
    }
    for (const entry of entries) {
      const extension = path.extname(entry.name).slice(1).toLowerCase();
      const stem = at(entry.name.slice(0, entry.name.length - extension.length - 1));
      if (entry.isDirectory()) await visit(at(entry.name));
      else if (CLIP_EXTENSIONS.includes(extension)) clips.push({ name: at(entry.name), stem });
      else if (extension === 'txt') captions.add(stem);
    }
  };
  await visit('');
  clips.sort((a, b) => (a.name < b.name ? -1 : 1));
  const files: ClipFile[] = [];
  for (const { name, stem } of clips) {
    const file = path.join(directory, name);
    const about = captions.has(stem)
      ? await readCaptions(path.join(directory, `${stem}.txt`))
      : `there is no caption file ${path.basename(stem)}.txt beside it`;
    const isRead = typeof about !== 'string';
    files.push({
      ...{ name, stem, path: file, stamp: await stampOf(file) },
      captions: isRead ? about : [],
      captionProblem: isRead ? undefined : about,
    });
  }
  const stems = new Set(clips.map(({ stem }) => stem));
  return { files, orphans: [...captions].filter((stem) => !stems.has(stem)).map((stem) => `${stem}.txt`) };
}

/** Captions of a file, or what is wrong with it. */
async function readCaptions(file: string): Promise<readonly string[] | string> {
  const name = path.basename(file);
  const { size } = await stat(file);
  if (size > MOST_CAPTION_BYTES) return `${name} must have at most ${MOST_CAPTION_BYTES} bytes, got ${size}`;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
  } catch {
    return `${name} must be UTF-8 text`;
  }
  // Text in 16 bits a letter, read as 8, is full of these.
  if (text.includes('\0')) return `${name} must be UTF-8 text`;
  const captions = text
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  return captions.length > 0 ? captions : `${name} must not be empty`;
}

async function list(folder: string): Promise<Dirent[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new StepVideoError('data', 'clips', 'the folder must be readable', folder, undefined, cause);
  });
  return entries.filter(({ name }) => !name.startsWith('.'));
}

async function stampOf(file: string): Promise<string> {
  const about = await stat(file);
  if (!about.isDirectory()) return `${about.size} ${about.mtimeMs}`;
  const frames = (await readdir(file)).filter((name) => NUMBERED_FRAME.test(name)).sort();
  const stamps = await Promise.all(frames.map((name) => stat(path.join(file, name))));
  return stamps.map(({ size, mtimeMs }) => `${size} ${mtimeMs}`).join();
}
