/**
 * Clips coded in a given number of bytes: latents as 8-bit numbers, deflated, and H.264 at the best quality that fits.
 *
 * Latents, which have about unit variance, are clipped to ±4 and rounded to 256 steps; their size is that of one raw deflate
 * stream (level 9) over [F, z, h, w]. H.264 is libx264 (preset slow, 4:2:0) at the lowest rate factor whose stream is no larger,
 * found by bisection; counted are the units of the stream but for x264's own note of its settings.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { pickBackend, type VideoBackend } from '../video/backend.ts';
import { VIDEO_FORMATS } from '../video/format.ts';
import { CLIP_SIZE, framesOf } from './clip-pixels.ts';

/** Latents go this far to either side of 0. */
const RANGE = 4;
const STEPS = 255;

/** `latents` after rounding, and the bytes that they take. */
export function codeLatents(latents: Float32Array): { latents: Float32Array; bytes: number } {
  const codes = Uint8Array.from(latents, (value) =>
    Math.round((Math.max(-RANGE, Math.min(RANGE, value)) / (2 * RANGE) + 0.5) * STEPS),
  );
  return {
    latents: Float32Array.from(codes, (code) => (code / STEPS - 0.5) * 2 * RANGE),
    bytes: deflateRawSync(codes, { level: 9 }).length,
  };
}

/** Rate factors of libx264: 0 is lossless, 51 the worst. Told apart in steps of a quarter. */
const WORST = 51;
const RATE_STEP = 0.25;

/** `crf` is the rate factor; the worst one may still take more bytes than were allowed. */
export type CodedVideo = { readonly pixels: Uint8Array; readonly bytes: number; readonly crf: number };

/**
 * RGB8 [frames, 128, 128, 3] through H.264 in at most `bytes`.
 * @throws environment error where no backend with libx264 is to be had.
 */
export async function codeH264(pixels: Uint8Array, bytes: number, fps: number): Promise<CodedVideo> {
  const backend = await pickBackend();
  const folder = await mkdtemp(path.join(tmpdir(), 'step-video-h264-'));
  const file = path.join(folder, 'clip.h264');
  try {
    const streamAt = async (crf: number): Promise<Uint8Array> => {
      await encode(backend, pixels, { file, crf, fps });
      return readFile(file);
    };
    // Invariant: `high` fits or is the worst; everything below `low` does not fit.
    let [low, high] = [0, WORST / RATE_STEP];
    let best: Uint8Array | undefined;
    while (low < high) {
      const middle = (low + high) >> 1;
      const stream = await streamAt(middle * RATE_STEP);
      if (codedBytes(stream) <= bytes) [high, best] = [middle, stream];
      else low = middle + 1;
    }
    best ??= await streamAt(WORST);
    await writeFile(file, best);
    return { bytes: codedBytes(best), crf: high * RATE_STEP, pixels: await decode(backend, file) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function encode(
  backend: VideoBackend,
  pixels: Uint8Array,
  { file, crf, fps }: { file: string; crf: number; fps: number },
): Promise<void> {
  async function* frames(): AsyncGenerator<Uint8Array> {
    yield* framesOf(pixels);
  }
  const mp4 = VIDEO_FORMATS.mp4.coding!;
  const encoderOptions = { ...mp4.encoderOptions, preset: 'slow', crf: String(crf) };
  const coding = { ...mp4, muxer: 'h264', muxerOptions: {}, encoderOptions };
  await backend.encode(frames(), { file, coding, ...CLIP_SIZE, fps: { num: fps, den: 1 }, tags: {} });
}

async function decode(backend: VideoBackend, file: string): Promise<Uint8Array> {
  const frames: Uint8Array[] = [];
  for await (const { rgb } of backend.decode(file)) frames.push(rgb);
  return Uint8Array.from(Buffer.concat(frames));
}

/** Type of a unit that holds supplemental information, where x264 writes its settings. */
const SUPPLEMENTAL = 6;

/** Bytes of an Annex B stream without its supplemental units; start codes count as three bytes. */
export function codedBytes(stream: Uint8Array): number {
  const starts: number[] = [];
  for (let i = 0; i + 3 < stream.length; i++)
    if (stream[i] === 0 && stream[i + 1] === 0 && stream[i + 2] === 1) starts.push(i);
  return starts.reduce((sum, start, i) => {
    const isCounted = (stream[start + 3]! & 0x1f) !== SUPPLEMENTAL;
    return isCounted ? sum + (starts[i + 1] ?? stream.length) - start : sum;
  }, 0);
}
