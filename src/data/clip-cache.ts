/**
 * Decoded clips on disk, small and raw, so that a training step reads the few frames that it needs and never waits for a
 * codec. Each file is decoded once, and one that cannot be is remembered as such. Does not know captions or splits.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { inputError, StepVideoError } from '../errors.ts';
import { writingErrors } from '../train/disk.ts';
import { type ClipFacts, clipFacts, coverSize, framesAt, type Size, smallFrames } from './clip-file.ts';
import type { ClipFile } from './clip-folder.ts';
import { sha256 } from './world.ts';

/** How clips of a folder are decoded. */
export type DecodeSettings = {
  /** Frames per second that a model is trained at. */
  readonly fps: number;
  /** No clip is longer; of longer files the beginning is used. */
  readonly seconds: number;
  /** Folder of the decoded clips. */
  readonly cache: string;
  /** Most that a run keeps there, in units of 10^9 bytes. */
  readonly gigabytes: number;
};

const sidecar = z.union([
  z.object({
    frames: z.int().positive(),
    width: z.int().positive(),
    height: z.int().positive(),
    /** Of the frames' bytes. */
    sha256: z.string(),
    source: z.object({ width: z.number(), height: z.number(), fps: z.number(), frames: z.number() }),
  }),
  z.object({ problem: z.string() }),
]);

/** A decoded clip of `frames` RGB8 frames [height, width, 3]; `source` is the file as it was. */
export type StoredClip = {
  readonly frames: number;
  readonly width: number;
  readonly height: number;
  readonly sha256: string;
  readonly source: ClipFacts;
  /** Frames `first` to `first + count - 1`, one after the other. @throws data error where the cache was damaged. */
  read(first: number, count: number): Promise<Uint8Array>;
};

export type DecodeRun = {
  readonly shape: Size;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
};

export interface ClipCache {
  /**
   * Every file as it fills `shape`, or the reason why it cannot be used, in order; what is not in the cache is decoded.
   * @throws input error before anything is decoded where the clips would not fit; environment error where the disk
   * refuses; aborted error between frames once `signal` fires.
   */
  decode(files: readonly ClipFile[], run: DecodeRun): Promise<(StoredClip | string)[]>;
}

export function clipCache(settings: DecodeSettings): ClipCache {
  const { cache: folder, fps, seconds, gigabytes } = settings;
  let used = 0;
  return {
    async decode(files, { shape, signal, onProgress }) {
      await writingErrors(folder, () => mkdir(folder, { recursive: true }));
      const most = Math.max(1, Math.round(seconds * fps));
      const keys = files.map((file) =>
        sha256(JSON.stringify([path.resolve(file.path), file.stamp, fps, most, shape.width, shape.height])),
      );
      const found: (StoredClip | string | ClipFacts)[] = [];
      for (const [i, file] of files.entries())
        found.push((await stored(folder, keys[i]!)) ?? (await problemOr(() => clipFacts(file.path))));

      const bytes = found.map((each) => {
        if (typeof each === 'string') return 0;
        const size = 'read' in each ? each : coverSize(each, shape);
        const frames = 'read' in each ? each.frames : Math.min(most, framesAt(each, fps));
        return frames * size.width * size.height * 3;
      });
      used += bytes.reduce((sum, each) => sum + each, 0);
      if (used > gigabytes * 1e9)
        throw inputError(
          'train',
          `decoded clips must fit into decode.gigabytes, ${gigabytes}`,
          (used / 1e9).toPrecision(3),
          'a larger one, a smaller decode.seconds, or fewer clips',
        );
      const result: (StoredClip | string)[] = [];
      for (const [i, each] of found.entries()) {
        if (typeof each === 'string' || 'read' in each) result.push(each);
        else {
          const file = path.join(folder, keys[i]!);
          const frames = () => smallFrames(files[i]!.path, each, { fps, shape, most, signal });
          const made = await problemOr(() => store(file, frames(), each, coverSize(each, shape)));
          if (typeof made === 'string') await writeSidecar(file, { problem: made });
          result.push(made);
        }
        if (signal?.aborted) throw new StepVideoError('aborted', 'train', 'stopped while decoding clips');
        onProgress?.(i + 1, found.length);
      }
      return result;
    },
  };
}

/** What is wrong with the data as text; every other error as it is. */
async function problemOr<T>(work: () => Promise<T>): Promise<T | string> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StepVideoError) || error.kind !== 'data') throw error;
    return problemText(error);
  }
}

/** A data error as the reason beside a file's name. */
export const problemText = ({ rule, got }: StepVideoError): string =>
  got === undefined ? rule : `${rule}, got ${got}`;

async function store(
  file: string,
  frames: AsyncIterable<Uint8Array>,
  source: ClipFacts,
  size: Size,
): Promise<StoredClip> {
  const part = `${file}.${process.pid}.part`;
  const hash = createHash('sha256');
  let count = 0;
  try {
    const handle = await writingErrors(path.dirname(file), () => open(part, 'w'));
    try {
      for await (const frame of frames) {
        hash.update(frame);
        await writingErrors(path.dirname(file), () => handle.appendFile(frame));
        count += 1;
      }
    } finally {
      await handle.close();
    }
    const facts = { frames: count, ...size, sha256: hash.digest('hex'), source };
    await rename(part, `${file}.rgb`);
    await writeSidecar(file, facts);
    return readable(`${file}.rgb`, facts);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/** What the cache knows of `key`; undefined where it knows nothing, or where its frames are not whole. */
async function stored(folder: string, key: string): Promise<StoredClip | string | undefined> {
  const file = path.join(folder, key);
  const text = await readFile(`${file}.json`, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = sidecar.safeParse(json);
  if (!parsed.success) return undefined;
  if ('problem' in parsed.data) return parsed.data.problem;
  const { frames, width, height } = parsed.data;
  const about = await stat(`${file}.rgb`).catch(() => undefined);
  return about?.size === frames * width * height * 3 ? readable(`${file}.rgb`, parsed.data) : undefined;
}

function readable(file: string, facts: Omit<StoredClip, 'read'>): StoredClip {
  const bytes = facts.width * facts.height * 3;
  return {
    ...facts,
    async read(first, count) {
      const pixels = new Uint8Array(count * bytes);
      const damaged = (cause?: unknown): StepVideoError =>
        new StepVideoError(
          'data',
          `clip ${file}`,
          'decoded frames must be whole',
          undefined,
          'the same command',
          cause,
        );
      const handle = await open(file, 'r').catch((cause) => {
        throw damaged(cause);
      });
      try {
        const { bytesRead } = await handle.read(pixels, 0, pixels.length, first * bytes);
        if (bytesRead !== pixels.length) throw damaged();
        return pixels;
      } finally {
        await handle.close();
      }
    },
  };
}

async function writeSidecar(file: string, content: z.input<typeof sidecar>): Promise<void> {
  await writingErrors(path.dirname(file), async () => {
    const part = `${file}.${process.pid}.json.part`;
    await writeFile(part, JSON.stringify(content));
    await rename(part, `${file}.json`);
  });
}
