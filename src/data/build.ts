/**
 * Builds emoji world in a cache directory: fetch the pinned packages, take out the chosen emoji, make sprites.
 *
 *   packages/<name>-<version>.tgz   verified tarballs, kept so that a rebuild downloads nothing
 *   sprites/<codepoint>.bin         premultiplied RGBA8 [frames, size, size, 4] at 12 frames/s
 *   world.json                      subjects, names, sizes, hashes; written last, so it marks a complete build
 *
 * Does not know scenes, captions or training.
 */
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { z } from 'zod';
import { StepVideoError } from '../errors.ts';
import { fetchPackage, readTarball } from './fetch-package.ts';
import { EMOJI_NAMES, type PinnedPackage } from './packages.ts';
import { premultiply, type Sprite, shrink } from './sprite.ts';
import { SUBJECTS, type SubjectEntry } from './subjects.ts';
import { readWorldFile, sha256, spritePath, WORLD_FORMAT, WORLD_FPS, type WorldFile } from './world.ts';

/** Width and height of a stored sprite frame, in pixels. */
export const SPRITE_SIZE = 128;

/** What a build reports while it works; bytes and subjects count up to `total` where it is known. */
export type BuildProgress =
  | { stage: 'download'; package: string; received: number; total: number | undefined }
  | { stage: 'sprites'; subject: string; done: number; total: number };

/** `registry` overrides the configured npm registry; `subjects` and `names` exist so that tests can build a tiny world. */
export type BuildOptions = {
  outDir: string;
  registry?: string;
  signal?: AbortSignal;
  onProgress?: (progress: BuildProgress) => void;
  subjects?: readonly SubjectEntry[];
  names?: PinnedPackage;
};

/**
 * Builds emoji world in `outDir`, or returns at once when a complete one of the same ingredients is there.
 * @returns the content of `world.json` and whether anything was built.
 * @throws StepVideoError `data` on a failed download, a wrong hash or a file that a package lacks; `aborted` on the signal.
 */
export async function buildEmojiWorld(options: BuildOptions): Promise<{ world: WorldFile; built: boolean }> {
  const { outDir, signal, subjects = SUBJECTS, names = EMOJI_NAMES } = options;
  const packages = [...new Set([names, ...subjects.map((subject) => subject.source)])];
  const fingerprint = sha256(JSON.stringify([WORLD_FORMAT, WORLD_FPS, SPRITE_SIZE, packages, subjects]));
  const complete = await completeWorld(outDir, fingerprint);
  if (complete) return { world: complete, built: false };

  await rm(join(outDir, 'world.json'), { force: true }); // from here until the end the build counts as incomplete
  await mkdir(join(outDir, 'sprites'), { recursive: true });
  const tarballs = await fetchAll(packages, options);
  const labels = await readLabels(tarballs.get(names)!);
  const world: WorldFile = { format: WORLD_FORMAT, fps: WORLD_FPS, fingerprint, packages, subjects: [] };
  for (const source of packages) {
    const wanted = subjects.filter((subject) => subject.source === source);
    const assets = new Map(wanted.map((subject) => [`package/assets/${subject.codepoint}.webp`, subject]));
    for (const [path, webp] of await readTarball(tarballs.get(source)!, new Set(assets.keys()))) {
      if (signal?.aborted) throw new StepVideoError('aborted', 'data build', 'stopped while making sprites');
      const { source: _, onlyPage, ...subject } = assets.get(path)!;
      const sprite = await decodeSprite(webp, SPRITE_SIZE, onlyPage);
      await writeFile(spritePath(outDir, subject.codepoint), sprite.pixels);
      world.subjects.push({
        ...subject,
        english: [...subject.english],
        chinese: [...subject.chinese],
        labels: labels(subject.codepoint),
        frames: sprite.frames,
        size: sprite.size,
        source: `${source.name}@${source.version}`,
        sha256: sha256(sprite.pixels),
      });
      options.onProgress?.({
        stage: 'sprites',
        subject: subject.id,
        done: world.subjects.length,
        total: subjects.length,
      });
    }
  }
  const order = subjects.map((subject) => subject.id);
  world.subjects.sort((a, b) => order.indexOf(a.id) - order.indexOf(b.id));
  const partial = join(outDir, 'world.json.part');
  await writeFile(partial, `${JSON.stringify(world, null, 1)}\n`);
  await rename(partial, join(outDir, 'world.json'));
  return { world, built: true };
}

/**
 * A webp, animated or still → a sprite of `size` × `size` at 12 frames/s: output frame k shows what the animation shows at
 * k/12 s, or just page `onlyPage` as a still. @throws StepVideoError `data` unless it is square and at least `size` wide.
 */
export async function decodeSprite(webp: Buffer, size: number, onlyPage?: number): Promise<Sprite> {
  const image = sharp(webp, { animated: true });
  const { pages = 1, delay = [], width, pageHeight, height } = await image.metadata();
  const from = width;
  if ((pageHeight ?? height) !== from || from < size) {
    const got = `${from}x${pageHeight ?? height}`;
    throw new StepVideoError('data', 'data build', `an emoji must be square and at least ${size} pixels wide`, got);
  }
  const rgba = await image.ensureAlpha().raw().toBuffer(); // [pages, from, from, 4]
  const shown = onlyPage === undefined ? timeline(delay.slice(0, pages)) : [Math.min(onlyPage, pages - 1)];
  const bytes = size * size * 4;
  const pixels = new Uint8Array(shown.length * bytes);
  for (const [index, page] of shown.entries()) {
    const frame = premultiply(rgba.subarray(page * from * from * 4, (page + 1) * from * from * 4).slice());
    pixels.set(size === from ? frame : shrink(frame, from, size), index * bytes);
  }
  return { frames: shown.length, size, pixels };
}

/** Which page each 12 frames/s frame shows, for page durations in milliseconds; a still is one frame. */
function timeline(delays: readonly number[]): number[] {
  const total = delays.reduce((sum, delay) => sum + delay, 0);
  if (delays.length <= 1 || total === 0) return [0];
  const shown: number[] = [];
  let page = 0;
  let end = delays[0]!;
  for (let frame = 0; frame < Math.max(1, Math.round((total * WORLD_FPS) / 1000)); frame++) {
    const time = (frame * 1000) / WORLD_FPS;
    while (time >= end && page < delays.length - 1) end += delays[++page]!;
    shown.push(page);
  }
  return shown;
}

async function fetchAll(
  packages: readonly PinnedPackage[],
  options: BuildOptions,
): Promise<Map<PinnedPackage, string>> {
  const { outDir, registry, signal, onProgress } = options;
  const tarballs = new Map<PinnedPackage, string>();
  for (const pinned of packages) {
    const path = await fetchPackage(pinned, {
      directory: join(outDir, 'packages'),
      ...(registry ? { registry } : {}),
      ...(signal ? { signal } : {}),
      onBytes: (received, total) => onProgress?.({ stage: 'download', package: pinned.name, received, total }),
    });
    tarballs.set(pinned, path);
  }
  return tarballs;
}

const labelSchema = z.array(z.object({ hexcode: z.string(), label: z.string() }));

/** Unicode names by code point, from emojibase's compact tables (which leave out the variation selector FE0F). */
async function readLabels(tarball: string): Promise<(codepoint: string) => { en: string; zh: string }> {
  const paths = { en: 'package/en/compact.json', zh: 'package/zh/compact.json' };
  const files = await readTarball(tarball, new Set(Object.values(paths)));
  const table = (path: string) =>
    new Map(labelSchema.parse(JSON.parse(files.get(path)!.toString('utf8'))).map((row) => [row.hexcode, row.label]));
  const en = table(paths.en);
  const zh = table(paths.zh);
  return (codepoint) => {
    const hexcode = codepoint.toUpperCase().replace(/-FE0F$/, '');
    const label = { en: en.get(hexcode), zh: zh.get(hexcode) };
    if (!label.en || !label.zh)
      throw new StepVideoError('data', 'data build', 'emojibase must name every subject', hexcode);
    return { en: label.en, zh: label.zh };
  };
}

/** The world in `outDir` when it is complete and made of the same ingredients, else undefined. */
async function completeWorld(outDir: string, fingerprint: string): Promise<WorldFile | undefined> {
  const world = await readWorldFile(outDir).catch(() => undefined);
  if (world?.fingerprint !== fingerprint) return undefined;
  for (const subject of world.subjects) {
    const { size } = await stat(spritePath(outDir, subject.codepoint)).catch(() => ({ size: -1 }));
    if (size !== subject.frames * subject.size * subject.size * 4) return undefined;
  }
  return world;
}
