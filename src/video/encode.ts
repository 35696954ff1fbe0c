/**
 * The verb of this folder: a stream of RGB frames becomes a file with its metadata, or nothing at all.
 * Frames are taken one at a time as the source gives them; does not know where they come from.
 */
import { rename, rm, stat } from 'node:fs/promises';
import { inputError, StepVideoError } from '../errors.ts';
import { pickBackend, type VideoBackend } from './backend.ts';
import { checkPicture, formatOf, rationalFps, VIDEO_FORMATS, type VideoFormat } from './format.ts';
import { insertGifComment } from './gif-comment.ts';
import { metadataText } from './metadata-text.ts';
import { writePngSequence } from './png-sequence.ts';
import { writeWebpAnimation } from './webp-animation.ts';
import { assertWritable, prepareTarget, writeFailure } from './writable.ts';

export type EncodeOptions = {
  path: string;
  /** Default: by the extension of `path`. */
  format?: VideoFormat;
  width: number;
  height: number;
  fps: number;
  /** Stored as one JSON string in the file; `readVideoMetadata` gives it back. */
  metadata: Record<string, string>;
  signal?: AbortSignal;
  /** Default: `pickBackend()`. Only mp4, webm and gif need one. */
  backend?: VideoBackend;
};

/** `path` is the path asked for; `files` are the files that now exist (several for png); `bytes` is their sum. */
export type EncodedVideo = { path: string; files: string[]; frames: number; bytes: number };

export type FrameSource = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/**
 * Encodes `frames` (RGB8, each [height, width, 3] tightly packed, at least one).
 * Holds one frame at a time plus what the codec keeps (gif keeps all: its palette is made of the whole clip).
 * Writes beside the target under a hidden name and renames at the end: an error or an abort leaves what was at
 * `path` before, and no part of the new clip.
 * @throws input errors before the first frame is asked for; `aborted`; `environment` when the disk is full or no
 * backend is there; an error of the source passes through as it is.
 */
export async function encodeVideo(frames: FrameSource, options: EncodeOptions): Promise<EncodedVideo> {
  const { width, height, signal } = options;
  const format = formatOf(options.path, options.format);
  checkPicture(format, options);
  const text = metadataText(options.metadata);
  stopIfAborted(signal);
  await assertWritable(options.path, format);
  const { coding } = VIDEO_FORMATS[format];
  const backend = coding ? (options.backend ?? (await pickBackend())) : undefined;
  const fps = rationalFps(options.fps);

  const { target, part } = await prepareTarget(options.path, format).catch((error) => {
    throw writeFailure(error, options.path);
  });
  const source = watched(frames, options);
  try {
    let files = [options.path];
    if (format === 'png') files = await writePngSequence(source.frames, { path: target, part, width, height, text });
    else if (!backend || !coding) await writeWebpAnimation(source.frames, { file: part, width, height, fps, text });
    else {
      const tags: Record<string, string> = format === 'gif' ? {} : { comment: text };
      await backend.encode(source.frames, { file: part, coding, width, height, fps, tags, ...(signal && { signal }) });
      if (format === 'gif') await insertGifComment(part, text);
    }
    if (format !== 'png') await rename(part, target);
    return { path: options.path, files, frames: source.count(), bytes: await totalBytes(files) };
  } catch (error) {
    await rm(part, { recursive: true, force: true });
    throw source.failed(error) ? error : writeFailure(error, options.path);
  }
}

const aborted = (signal: AbortSignal): StepVideoError =>
  new StepVideoError('aborted', 'encodeVideo', 'stopped by its signal', undefined, undefined, signal.reason);

function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted(signal);
}

async function totalBytes(files: string[]): Promise<number> {
  let bytes = 0;
  for (const file of files) bytes += (await stat(file)).size;
  return bytes;
}

type Watched = { frames: AsyncIterable<Uint8Array>; count(): number; failed(error: unknown): boolean };

/** The source with its frames counted and measured; waiting for the next one ends when the signal fires. */
function watched(frames: FrameSource, { width, height, signal }: EncodeOptions): Watched {
  const size = width * height * 3;
  let count = 0;
  let failure: { error: unknown } | undefined;
  async function* pass(): AsyncGenerator<Uint8Array> {
    const iterator = Symbol.asyncIterator in frames ? frames[Symbol.asyncIterator]() : frames[Symbol.iterator]();
    let done = false;
    try {
      while (true) {
        stopIfAborted(signal);
        const next = await untilAborted(Promise.resolve(iterator.next()), signal);
        if (next.done) break;
        if (next.value.length !== size)
          throw inputError(
            'encodeVideo',
            `frame ${count} must have ${height} x ${width} x 3 = ${size} bytes`,
            next.value.length,
          );
        yield next.value;
        count += 1;
      }
      done = true;
      stopIfAborted(signal);
      if (count === 0) throw inputError('encodeVideo', 'there must be at least one frame', 0);
    } catch (error) {
      failure = { error };
      throw error;
    } finally {
      // Not awaited: a generator answers only after the frame that it is busy with.
      if (!done) Promise.resolve(iterator.return?.()).catch(() => {});
    }
  }
  return { frames: pass(), count: () => count, failed: (error) => failure?.error === error };
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  let stop = (): void => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(aborted(signal));
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
