/**
 * Grids of samples as pictures inside the page: some of many, shrunk, kept between reports of one run.
 * Knows files of PNG; does not know what they show.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';

export type Picture = { readonly name: string; readonly uri: string; readonly width: number; readonly height: number };

/** What a page may carry: pictures in all, pixels across, WebP quality. */
const LIMITS = { count: 12, width: 960, quality: 82 } as const;

/** Pictures by file and time of writing. */
export type PictureCache = Map<string, Picture>;

/** At most twelve of `files` evenly over the run, the first and the last among them; what does not decode is left out. */
export async function pictures(files: readonly string[], cache: PictureCache): Promise<Picture[]> {
  const made: Picture[] = [];
  for (const file of spread(files, LIMITS.count)) {
    const picture = await pictureOf(file, cache).catch(() => undefined);
    if (picture) made.push(picture);
  }
  return made;
}

async function pictureOf(file: string, cache: PictureCache): Promise<Picture> {
  const key = `${file}@${(await stat(file)).mtimeMs}`;
  const kept = cache.get(key);
  if (kept) return kept;
  const { data, info } = await sharp(file)
    .resize({ width: LIMITS.width, withoutEnlargement: true })
    .webp({ quality: LIMITS.quality })
    .toBuffer({ resolveWithObject: true });
  const uri = `data:image/webp;base64,${data.toString('base64')}`;
  const picture = { name: path.basename(file, '.png'), uri, width: info.width, height: info.height };
  cache.set(key, picture);
  return picture;
}

function spread<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))]!);
}
