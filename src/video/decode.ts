/**
 * Files back to frames, facts and metadata, for every format that `encodeVideo` writes and for what the backend reads
 * besides. PNG, GIF, WebP and JPEG go through sharp, which needs no backend and tells the delays as they are (FFmpeg
 * before 8 cannot decode animated WebP at all, and guesses a frame rate for GIF). What is transparent lies over black.
 */
import { open, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { inputError, StepVideoError } from '../errors.ts';
import { type DecodedFrame, pickBackend, type VideoBackend, type VideoProbe } from './backend.ts';
import { readGifComments } from './gif-comment.ts';
import { parseMetadataText } from './metadata-text.ts';
import { listPngSequence, readPngComment } from './png-sequence.ts';
import { readWebpText } from './webp-animation.ts';

export type ReadOptions = { backend?: VideoBackend; signal?: AbortSignal };

/** As large as `encodeVideo` writes. A header may claim more; nothing of that size is allocated. */
const MOST_PIXELS = 16384 ** 2;

/** libvips decodes an animation from its start at each opening: so many pages at once bound both time and memory. */
const PAGES_BYTES = 64 << 20;

/**
 * The frames of a video file, or of the png frames that `file` stands for, in order: RGB8 [height, width, 3].
 * @throws input error for a path that is not there; data error for one that holds no video or is damaged (webm and gif
 * that end early cannot be told from shorter ones: they give the frames that are there).
 */
export async function* readFrames(file: string, options: ReadOptions = {}): AsyncGenerator<DecodedFrame> {
  try {
    yield* decoded(file, options);
  } catch (error) {
    throw readFailure(error, 'readFrames', file);
  }
}

async function* decoded(file: string, options: ReadOptions): AsyncGenerator<DecodedFrame> {
  const kind = await kindOf(file);
  if (kind === 'png') {
    let index = 0;
    for (const frame of await listPngSequence(file)) {
      stopIfAborted(options.signal);
      yield { ...(await pixels(sharp(await readFile(frame)))), index: index++ };
    }
  } else if (kind !== 'other') yield* readAnimation(file, options.signal);
  else yield* (options.backend ?? (await pickBackend())).decode(file, options.signal);
}

/** Size, rate, counted frames, codec, colour and tags of a video file or of png frames. */
export async function probe(file: string, options: ReadOptions = {}): Promise<VideoProbe> {
  return facts(file, options).catch((error) => {
    throw readFailure(error, 'probe', file);
  });
}

async function facts(file: string, options: ReadOptions): Promise<VideoProbe> {
  const kind = await kindOf(file);
  if (kind === 'other') return (options.backend ?? (await pickBackend())).probe(file);
  const files = kind === 'png' ? await listPngSequence(file) : [file];
  const about = await header(await readFile(files[0] ?? file));
  const delays = about.delay ?? [];
  const total = delays.reduce((sum, delay) => sum + delay, 0);
  return {
    container: kind,
    codec: kind,
    width: about.width,
    height: about.height,
    fps: total > 0 ? (1000 * delays.length) / total : 0,
    frames: kind === 'png' ? files.length : (about.pages ?? 1),
    colour: { matrix: 'unknown', primaries: 'unknown', transfer: 'unknown', range: 'unknown' },
    tags: {},
  };
}

/** The `metadata` that `encodeVideo` stored in `file`; undefined where there is none of ours. */
export async function readVideoMetadata(
  file: string,
  options: ReadOptions = {},
): Promise<Record<string, string> | undefined> {
  const kind = await kindOf(file);
  if (kind === 'png') return parseMetadataText(await readPngComment((await listPngSequence(file))[0] ?? file));
  if (kind === 'webp') return parseMetadataText(await readWebpText(file));
  if (kind === 'gif') {
    for (const comment of await readGifComments(file)) {
      const metadata = parseMetadataText(comment);
      if (metadata) return metadata;
    }
    return undefined;
  }
  const { tags } = await probe(file, options);
  return parseMetadataText(Object.entries(tags).find(([name]) => name.toLowerCase() === 'comment')?.[1]);
}

/** By content, not by name: a renamed file is still read. */
async function kindOf(file: string): Promise<'png' | 'webp' | 'gif' | 'jpeg' | 'other'> {
  const there = await stat(file).catch(() => undefined);
  if (there?.isDirectory()) return 'png';
  if (!there) {
    if (path.extname(file).toLowerCase() === '.png') return 'png';
    throw inputError('readFrames', 'the file must exist', file);
  }
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(12), 0, 12, 0);
    const head = buffer.toString('latin1', 0, bytesRead);
    if (head.startsWith('\x89PNG')) return 'png';
    if (head.startsWith('GIF8')) return 'gif';
    if (head.startsWith('\xff\xd8\xff')) return 'jpeg';
    return head.startsWith('RIFF') && head.endsWith('WEBP') ? 'webp' : 'other';
  } finally {
    await handle.close();
  }
}

async function* readAnimation(file: string, signal?: AbortSignal): AsyncGenerator<DecodedFrame> {
  // Bytes, not the path: libvips keeps what it opened by name, and would show the file that was there before.
  const bytes = await readFile(file);
  const { width, height, pages: total = 1 } = await header(bytes);
  const step = Math.max(1, Math.floor(PAGES_BYTES / (width * height * 4)));
  for (let first = 0; first < total; first += step) {
    const count = Math.min(step, total - first);
    const options = total > 1 ? { page: first, pages: count } : { autoOrient: true };
    const stack = await pixels(sharp(bytes, { ...options, limitInputPixels: false }));
    const size = stack.width * height * 3;
    for (let i = 0; i < count; i++) {
      stopIfAborted(signal);
      yield { rgb: stack.rgb.slice(i * size, (i + 1) * size), width: stack.width, height, index: first + i };
    }
  }
}

/**
 * What the header of a picture or animation says, sizes being those of one upright frame.
 * @throws data error for a frame larger than any that is read.
 */
async function header(bytes: Buffer) {
  // Whole animations may be longer than the limit that libvips puts on a picture.
  const about = await sharp(bytes, { animated: true, limitInputPixels: false }).metadata();
  const { width, height } = (about.pages ?? 1) > 1 ? about : about.autoOrient;
  const frame = { width, height: (about.pages ?? 1) > 1 ? (about.pageHeight ?? height) : height };
  if (frame.width * frame.height > MOST_PIXELS)
    throw new StepVideoError(
      'data',
      'readFrames',
      `a frame must have at most ${MOST_PIXELS} pixels`,
      `${frame.width}x${frame.height}`,
    );
  return { ...about, ...frame };
}

function readFailure(error: unknown, op: string, file: string): StepVideoError {
  if (error instanceof StepVideoError && error.op !== 'ffmpeg') return error;
  const why = (error instanceof Error ? error.message : String(error)).trim().split('\n').at(-1);
  return new StepVideoError(
    'data',
    op,
    'the file must be a whole video or picture',
    `${file} (${why})`,
    undefined,
    error,
  );
}

async function pixels(image: Sharp): Promise<{ rgb: Uint8Array; width: number; height: number }> {
  const flat = image.flatten({ background: '#000000' }).toColourspace('srgb');
  const { data, info } = await flat.raw().toBuffer({ resolveWithObject: true });
  return { rgb: new Uint8Array(data.buffer, data.byteOffset, data.length), width: info.width, height: info.height };
}

function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted)
    throw new StepVideoError('aborted', 'readFrames', 'stopped by its signal', undefined, undefined, signal.reason);
}
