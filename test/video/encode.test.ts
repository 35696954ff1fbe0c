import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { VideoBackend } from '../../src/video/backend.ts';
import { openFfmpeg } from '../../src/video/backend-ffmpeg.ts';
import { readFrames, readVideoMetadata } from '../../src/video/decode.ts';
import { encodeVideo } from '../../src/video/encode.ts';
import { VIDEO_FORMATS, type VideoFormat } from '../../src/video/format.ts';
import { BACKENDS, collect, everything, picture, pictures, psnr, SIZE, temporary } from './clip.ts';

let directory: string;
beforeEach(async () => {
  directory = await temporary();
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const options = (name: string, more: object = {}) => ({
  path: path.join(directory, name),
  ...SIZE,
  fps: 12,
  metadata: { a: 'b' },
  ...more,
});
const FORMATS = Object.keys(VIDEO_FORMATS) as VideoFormat[];
const CASES = Object.values(BACKENDS).flatMap((backend) =>
  backend ? FORMATS.map((format) => ({ name: backend.name, format, backend })) : [],
);

describe.each(CASES)('$format with $name', ({ format, backend }) => {
  test('a source that fails leaves nothing and its error comes through', async () => {
    const broken = new Error('the decoder broke');
    async function* source() {
      yield* pictures(4);
      throw broken;
    }
    await expect(encodeVideo(source(), options(`clip.${format}`, { backend }))).rejects.toBe(broken);
    expect(await everything(directory)).toEqual([]);
  });

  test('an abort between frames leaves the file of before, and nothing else', async () => {
    const target = options(`clip.${format}`, { backend });
    await writeFile(target.path, 'what was here');
    const controller = new AbortController();
    let closed = false;
    async function* source() {
      try {
        for (let frame = 0; ; frame++) {
          if (frame === 5) controller.abort(new Error('enough'));
          yield picture(frame % 8);
        }
      } finally {
        closed = true;
      }
    }
    await expect(encodeVideo(source(), { ...target, signal: controller.signal })).rejects.toMatchObject({
      kind: 'aborted',
    });
    expect(closed).toBe(true);
    expect(await everything(directory)).toEqual([`clip.${format}`]);
    expect(await readFile(target.path, 'utf8')).toBe('what was here');
  });

  test('a source that reuses one buffer is read right: no frame is held', async () => {
    const buffer = new Uint8Array(SIZE.width * SIZE.height * 3);
    function* source() {
      for (let frame = 0; frame < 6; frame++) {
        buffer.set(picture(frame));
        yield buffer;
        buffer.fill(0);
      }
    }
    const target = options(`clip.${format}`, { backend });
    await encodeVideo(source(), target);
    const frames = await collect(readFrames(target.path, { backend }));
    expect(frames.length).toBe(6);
    for (const [i, frame] of frames.entries()) expect(psnr(frame, picture(i))).toBeGreaterThan(30);
  });

  test('no frame, and a frame of the wrong size, are refused and leave nothing', async () => {
    const target = options(`clip.${format}`, { backend });
    await expect(encodeVideo([], target)).rejects.toThrow('there must be at least one frame, got 0');
    await expect(encodeVideo([picture(0), new Uint8Array(5)], target)).rejects.toThrow(
      'encodeVideo: frame 1 must have 48 x 64 x 3 = 9216 bytes, got 5',
    );
    expect(await everything(directory)).toEqual([]);
  });
});

test('an abort while the source is silent ends at once', async () => {
  const controller = new AbortController();
  async function* source() {
    yield picture(0);
    await new Promise(() => {});
  }
  setTimeout(() => controller.abort(), 50);
  const work = encodeVideo(source(), options('clip.mp4', { signal: controller.signal }));
  await expect(work).rejects.toMatchObject({ kind: 'aborted' });
  expect(await everything(directory)).toEqual([]);
});

test('a signal that has fired already means that no frame is asked for', async () => {
  let asked = false;
  function* source() {
    asked = true;
    yield picture(0);
  }
  const work = encodeVideo(source(), options('clip.mp4', { signal: AbortSignal.abort() }));
  await expect(work).rejects.toMatchObject({ kind: 'aborted' });
  expect(asked).toBe(false);
});

test('odd sizes, rates and oversized metadata are refused before a frame is asked for', async () => {
  const never = pictures(1);
  await expect(encodeVideo(never, options('a.mp4', { width: 63 }))).rejects.toThrow('(try 62 or 64)');
  await expect(encodeVideo(never, options('a.gif', { fps: 0 }))).rejects.toThrow(
    'fps must be from 0.1 to 50 for gif, got 0',
  );
  await expect(encodeVideo(never, options('a.mp4', { metadata: { a: 'x'.repeat(120_000) } }))).rejects.toThrow(
    'at most 120000 bytes',
  );
  expect((await never.next()).done).toBe(false);
});

test('directories are made, and the target of a symbolic link is what is replaced', async () => {
  const made = await encodeVideo([picture(0)], options('x/y/clip.webp'));
  expect(made).toMatchObject({ frames: 1, files: [path.join(directory, 'x/y/clip.webp')] });
});

describe('a full disk', () => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  const failing: VideoBackend = {
    name: 'ffmpeg',
    async encode(frames, job) {
      await writeFile(job.file, 'half a video');
      for await (const _ of frames) throw full;
    },
    decode: () => pictures(0) as never,
    probe: () => Promise.reject(full),
  };

  test('is named with the path and the way on, and leaves nothing', async () => {
    await expect(encodeVideo(pictures(3), options('clip.mp4', { backend: failing }))).rejects.toMatchObject({
      kind: 'environment',
      message: `encodeVideo: the disk must have room for the video, got no space left while writing ${directory}/clip.mp4 (try freeing space or another path, then decode the saved latents again)`,
      cause: full,
    });
    expect(await everything(directory)).toEqual([]);
  });

  // Linux has a device that is always full.
  for (const backend of process.platform === 'linux' ? Object.values(BACKENDS) : [])
    for (const format of ['mp4', 'webm', 'gif'] as const)
      test.skipIf(!backend)(`is noticed by ${backend?.name} writing ${format}`, async () => {
        const { coding } = VIDEO_FORMATS[format];
        const job = { file: '/dev/full', coding: coding!, ...SIZE, fps: { num: 12, den: 1 }, tags: {} };
        await expect(backend!.encode(pictures(3), job)).rejects.toThrow(/No space left on device/);
      });
});

test.skipIf(process.platform === 'win32')('a program that lacks the codec says so, and nothing is left', async () => {
  const program = path.join(directory, 'ffmpeg');
  await writeFile(
    program,
    '#!/bin/sh\n[ "$1" = -version ] && { echo "ffmpeg version 4.4"; exit 0; }\necho "Unknown encoder" >&2\nexit 1\n',
  );
  await chmod(program, 0o755);
  const out = path.join(directory, 'out');
  await mkdir(out);
  const work = encodeVideo(pictures(50), options('out/clip.mp4', { backend: await openFfmpeg(program) }));
  await expect(work).rejects.toThrow('must run to its end, got Unknown encoder');
  expect(await everything(out)).toEqual([]);
});

describe('png frames', () => {
  test('go into a directory, or beside each other under the name of the path', async () => {
    const first = await encodeVideo(pictures(2), options('frames/'));
    expect(first.files.map((file) => path.relative(directory, file))).toEqual([
      'frames/frame-0000.png',
      'frames/frame-0001.png',
    ]);
    await encodeVideo(pictures(3), options('clip.png'));
    expect((await everything(directory)).sort()).toEqual([
      'clip-0000.png',
      'clip-0001.png',
      'clip-0002.png',
      'frames',
      'frames/frame-0000.png',
      'frames/frame-0001.png',
    ]);
    for (const file of first.files) expect(await readVideoMetadata(file)).toEqual({ a: 'b' });
  });

  test('a shorter clip replaces a longer one; pictures by others stay', async () => {
    await encodeVideo(pictures(4), options('clip.png'));
    await writeFile(path.join(directory, 'clip-2024.png'), 'a photograph');
    await encodeVideo(pictures(2), options('clip.png'));
    expect((await everything(directory)).sort()).toEqual(['clip-0000.png', 'clip-0001.png', 'clip-2024.png']);
    await encodeVideo(pictures(1), options('clip.png'));
    expect((await everything(directory)).sort()).toEqual(['clip-2024.png', 'clip.png']);
  });
});
