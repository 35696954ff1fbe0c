/**
 * A clip as numbered PNG files. `clip.png` stands for `clip-0000.png`, `clip-0001.png` … (a clip of one frame is
 * `clip.png` itself); any other path is a directory holding `frame-0000.png` ….
 * Frames are collected in a hidden directory beside and moved into place together, at the end.
 */
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { inputError } from '../errors.ts';
import { readPngText, withPngText } from './png-text.ts';

/** iTXt keyword of the metadata; `Comment` is registered, so other programs show it. */
const KEYWORD = 'Comment';
const SOFTWARE = 'step-video';

export type PngJob = {
  path: string;
  /** Hidden directory to collect the frames in; the caller removes it when something fails. */
  part: string;
  width: number;
  height: number;
  text: string;
};

type Layout = { directory: string; stem: string; single: string | undefined };

function layoutOf(file: string): Layout {
  if (path.extname(file).toLowerCase() !== '.png') return { directory: file, stem: 'frame', single: undefined };
  return { directory: path.dirname(file), stem: path.basename(file, path.extname(file)), single: path.basename(file) };
}

/** Directory into which the frames of `file` go. */
export const pngDirectory = (file: string): string => layoutOf(file).directory;

/**
 * Writes RGB8 `frames` [height, width, 3] losslessly and returns the paths of the files, in order.
 * Frames that an earlier clip of ours left under the same name and that this one does not replace are removed,
 * so that two clips never read as one; files by others are never touched.
 */
export async function writePngSequence(frames: AsyncIterable<Uint8Array>, job: PngJob): Promise<string[]> {
  const { width, height } = job;
  const { directory, stem, single } = layoutOf(job.path);
  await mkdir(job.part);
  const names: string[] = [];
  for await (const rgb of frames) {
    const png = await sharp(rgb, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();
    const name = `${stem}-${String(names.length).padStart(4, '0')}.png`;
    await writeFile(path.join(job.part, name), withPngText(png, { Software: SOFTWARE, [KEYWORD]: job.text }));
    names.push(name);
  }
  const finals = names.length === 1 && single ? [single] : names;
  await removeStale({ directory, stem, single }, new Set(finals));
  for (const [i, name] of names.entries())
    await rename(path.join(job.part, name), path.join(directory, finals[i] ?? name));
  await rm(job.part, { recursive: true });
  return finals.map((name) => path.join(directory, name));
}

/** The frame files that `file` stands for, in order. @throws input error where there is none. */
export async function listPngSequence(file: string): Promise<string[]> {
  const layout = layoutOf(file);
  if (layout.single && (await stat(file).catch(() => undefined))?.isFile()) return [file];
  const found = await numbered(layout);
  if (found.length === 0)
    throw inputError('readFrames', 'the path must be a video file or stand for numbered png frames', file);
  return found.map((name) => path.join(layout.directory, name));
}

/** The metadata text of a PNG frame, or undefined. */
export const readPngComment = async (file: string): Promise<string | undefined> => (await readPngText(file))[KEYWORD];

async function numbered({ directory, stem }: Layout): Promise<string[]> {
  const index = (name: string): number => {
    const rest = name.startsWith(`${stem}-`) ? name.slice(stem.length + 1) : '';
    return /^\d{4,}\.png$/.test(rest) ? Number.parseInt(rest, 10) : -1;
  };
  const names = await readdir(directory).catch(() => [] as string[]);
  return names.filter((name) => index(name) >= 0).sort((a, b) => index(a) - index(b));
}

async function removeStale(layout: Layout, kept: Set<string>): Promise<void> {
  for (const name of [...(await numbered(layout)), ...(layout.single ? [layout.single] : [])]) {
    if (kept.has(name)) continue;
    const file = path.join(layout.directory, name);
    const texts = await readPngText(file).catch(() => undefined);
    if (texts?.Software === SOFTWARE) await rm(file);
  }
}
