/** A small moving picture, the backends of this machine and measuring for the video tests. */
import { mkdtemp, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pickBackend, type VideoBackend } from '../../src/video/backend.ts';

export const SIZE = { width: 64, height: 48 };

/** Gradient background with a soft disc that moves 2 pixels a frame, smooth enough for 4:2:0; [height, width, 3]. */
export function picture(frame: number): Uint8Array {
  const { width, height } = SIZE;
  const rgb = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const disc = 1 / (1 + Math.exp((Math.hypot(x - 16 - 2 * frame, y - 24) - 10) / 2));
      const ground = [60 + x, 90 + y, 160 - x];
      rgb.set(
        [200, 120, 60].map((colour, c) => disc * colour + (1 - disc) * (ground[c] ?? 0)),
        (y * width + x) * 3,
      );
    }
  return rgb;
}

/** Frames that come one by one, as from a decoder that is still at work. */
export async function* pictures(count: number, make = picture): AsyncGenerator<Uint8Array> {
  for (let frame = 0; frame < count; frame++) {
    await new Promise((done) => setImmediate(done));
    yield make(frame);
  }
}

export function psnr(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) throw new Error(`lengths differ: ${a.length} and ${b.length}`);
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] ?? 0) - (b[i] ?? 0)) ** 2;
  return sum === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10((255 * 255 * a.length) / sum);
}

export const temporary = (): Promise<string> => mkdtemp(path.join(tmpdir(), 'step-video-test-'));

export async function collect(frames: AsyncIterable<{ rgb: Uint8Array }>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const { rgb } of frames) all.push(rgb);
  return all;
}

/** All names below `directory`, hidden ones too. */
export const everything = (directory: string): Promise<string[]> => readdir(directory, { recursive: true });

async function open(name: 'node-av' | 'ffmpeg'): Promise<VideoBackend | undefined> {
  try {
    return await pickBackend(name);
  } catch (error) {
    console.warn(`!!! NOT TESTED: video backend ${name} is not on this machine (${(error as Error).message})`);
    return undefined;
  }
}

export const BACKENDS = { 'node-av': await open('node-av'), ffmpeg: await open('ffmpeg') };
