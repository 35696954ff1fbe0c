/**
 * A directory of tiny clips with captions, of every kind that is read, made on the spot; and files that are no clips.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { encodeVideo } from '../../src/video/encode.ts';

type Size = { width: number; height: number };

/** A bright square that moves over a ground of one colour, [height, width, 3]. */
function frame({ width, height }: Size, t: number, [r, g, b]: readonly number[]): Uint8Array {
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [i % width, Math.floor(i / width)];
    const inside = Math.abs(x - 8 - t) < 6 && Math.abs(y - height / 2) < 6;
    rgb.set(inside ? [250, 240, 60] : [r! + (x >> 1), g! + (y >> 1), b!], i * 3);
  }
  return rgb;
}

/** Clips of 18 to 24 frames at 12 a second, at several sizes and rates, and a still; caption of each. */
const CLIPS: readonly [name: string, Size, frames: number, fps: number, caption: string][] = [
  ['one.mp4', { width: 64, height: 48 }, 36, 24, 'a yellow square moves right over red\na square on red ground'],
  ['two.webm', { width: 48, height: 64 }, 24, 12, '一个黄色方块在绿色背景上移动'],
  ['three.gif', { width: 33, height: 25 }, 20, 10, 'a yellow square over a blue ground'],
  ['four.webp', { width: 40, height: 40 }, 18, 12, 'a yellow square over grey'],
  ['more/five.mp4', { width: 64, height: 64 }, 20, 12, 'a square wanders over violet'],
  ['more/six/', { width: 32, height: 32 }, 18, 12, 'numbered pictures of a square'],
  ['seven.mp4', { width: 96, height: 32 }, 18, 12, 'a wide ground with a square'],
  ['eight.png', { width: 50, height: 30 }, 1, 12, 'a square that rests'],
];

/** Writes all eight below `folder` and returns it. */
export async function writeOwnClips(folder: string): Promise<string> {
  mkdirSync(path.join(folder, 'more'), { recursive: true });
  for (const [i, [name, size, frames, fps, caption]] of CLIPS.entries()) {
    const colour = [40 + 20 * i, 160 - 15 * i, 30 + 22 * i];
    const pictures = Array.from({ length: frames }, (_, t) => frame(size, t, colour));
    const target = path.join(folder, name);
    await encodeVideo(pictures, { path: target, ...size, fps, metadata: {} });
    writeFileSync(path.join(folder, `${name.replace(/\.\w+$|\/$/, '')}.txt`), `${caption}\n`);
  }
  return folder;
}

/** Frame t a plain grey of `levels[t]`, as an animated WebP. */
export async function writeGreys(file: string, levels: readonly number[], fps: number, size: Size): Promise<void> {
  const pictures = levels.map((level) => new Uint8Array(size.width * size.height * 3).fill(level));
  await encodeVideo(pictures, { path: file, ...size, fps, metadata: {} });
}

/** A PNG that claims to be of `size` and holds next to nothing. */
export function writeHollowPng(file: string, { width, height }: Size): void {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8);
  const chunk = (name: string, body: Buffer): Buffer => {
    const named = Buffer.concat([Buffer.from(name), body]);
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(body.length);
    check.writeUInt32BE(crc32(named));
    return Buffer.concat([length, named, check]);
  };
  const parts = [chunk('IHDR', header), chunk('IDAT', deflateSync(Buffer.alloc(8))), chunk('IEND', Buffer.alloc(0))];
  writeFileSync(file, Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...parts]));
}

/** A plain PNG; `alpha` 0 … 255 where it has any. */
export async function writePng(file: string, size: Size, colour: readonly number[], alpha?: number): Promise<void> {
  const pixel = alpha === undefined ? colour : [...colour, alpha];
  const raw = { ...size, channels: pixel.length as 3 | 4 };
  const bytes = Uint8Array.from(
    { length: size.width * size.height * pixel.length },
    (_, i) => pixel[i % pixel.length]!,
  );
  await sharp(bytes, { raw }).png().toFile(file);
}
