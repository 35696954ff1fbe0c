import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { probe, readFrames, readVideoMetadata } from '../../src/video/decode.ts';
import { encodeVideo } from '../../src/video/encode.ts';
import type { VideoFormat } from '../../src/video/format.ts';
import { BACKENDS, collect, picture, pictures, psnr, SIZE, temporary } from './clip.ts';

const METADATA = {
  prompt: '一个"红苹果"在<蓝色>背景上弹跳 & more; #1 = \\ \'quoted\'\nnew line \u0000\u001f 🍎',
  seed: '18446744073709551615',
  empty: '',
};
/** PSNR of the worst frame in dB, 2 below what was measured; BT.601 taken for BT.709 costs more than that. */
const FLOOR: Record<VideoFormat, number> = { mp4: 42, webm: 39, gif: 39, webp: 39, png: Infinity };

let directory: string;
beforeAll(async () => {
  directory = await temporary();
});
afterAll(() => rm(directory, { recursive: true }));

test('this machine has a backend', () => {
  expect(BACKENDS['node-av'] ?? BACKENDS.ffmpeg).toBeDefined();
});

for (const [name, backend] of Object.entries(BACKENDS))
  describe.skipIf(!backend)(`with ${name}`, () => {
    const given = { backend: backend! };

    for (const format of Object.keys(FLOOR) as VideoFormat[])
      test.each([
        { what: '17 moving frames at 12 fps', count: 17, fps: 12, still: false },
        { what: '10 frames at 24 fps', count: 10, fps: 24, still: false },
        { what: '5 equal frames', count: 5, fps: 12.5, still: true },
        { what: 'one frame', count: 1, fps: 25, still: false },
      ])(`${format}: $what come back`, async ({ count, fps, still }) => {
        const file = path.join(directory, `${name}-${count}.${format}`);
        const make = (frame: number) => picture(still ? 3 : frame);
        const source = pictures(count, make);
        const made = await encodeVideo(source, { path: file, ...SIZE, fps, metadata: METADATA, ...given });
        expect(made.frames).toBe(count);
        expect(made.bytes).toBeGreaterThan(100);

        const facts = await probe(file, given);
        expect([facts.frames, facts.width, facts.height]).toEqual([count, SIZE.width, SIZE.height]);
        if (format === 'mp4' || format === 'webm') expect(facts.fps).toBeCloseTo(fps, 2);
        if (format === 'webp' || format === 'gif')
          expect(Math.abs(facts.fps - fps) / fps).toBeLessThan(count > 1 ? 0.06 : 2);

        let index = 0;
        for await (const frame of readFrames(file, given)) {
          expect([frame.index, frame.width, frame.height]).toEqual([index, SIZE.width, SIZE.height]);
          expect(psnr(frame.rgb, make(index))).toBeGreaterThanOrEqual(FLOOR[format]);
          index += 1;
        }
        expect(index).toBe(count);
        expect(await readVideoMetadata(file, given)).toEqual(METADATA);
      });

    test.each(['mp4', 'webm'] as const)('%s is converted with and tagged as BT.709, limited range', async (format) => {
      const file = path.join(directory, `${name}-red.${format}`);
      const red = new Uint8Array(SIZE.width * SIZE.height * 3).map((_, i) => (i % 3 === 0 ? 255 : 0));
      await encodeVideo([red, red], { path: file, ...SIZE, fps: 12, metadata: {}, ...given });
      const { colour } = await probe(file, given);
      expect(colour).toEqual({ matrix: 'bt709', primaries: 'bt709', transfer: 'bt709', range: 'tv' });
      const [first] = await collect(readFrames(file, given));
      expect(psnr(first!, red)).toBeGreaterThan(40);
    });

    test('a file that is no video, and one cut off, are data errors', async () => {
      const file = path.join(directory, `${name}-broken.mp4`);
      await writeFile(file, 'these are not the frames');
      await expect(probe(file, given)).rejects.toMatchObject({ kind: 'data', op: 'probe' });
      await expect(collect(readFrames(file, given))).rejects.toMatchObject({ kind: 'data', op: 'readFrames' });
      await expect(readVideoMetadata(file, given)).rejects.toMatchObject({ kind: 'data' });
      await encodeVideo(pictures(5), { path: file, ...SIZE, fps: 12, metadata: {}, ...given });
      const whole = await readFile(file);
      await writeFile(file, whole.subarray(0, 300));
      await expect(collect(readFrames(file, given))).rejects.toMatchObject({ kind: 'data', op: 'readFrames' });
      await writeFile(file, whole.subarray(0, whole.length * 0.85));
      await expect(collect(readFrames(file, given))).rejects.toMatchObject({ kind: 'data', op: 'readFrames' });
      await writeFile(file.replace('mp4', 'webp'), 'RIFF\0\0\0\0WEBPVP8X');
      await expect(probe(file.replace('mp4', 'webp'))).rejects.toMatchObject({ kind: 'data' });
    });

    test('gif: the backend decodes it too', async () => {
      const file = path.join(directory, `${name}-own.gif`);
      await encodeVideo(pictures(9), { path: file, ...SIZE, fps: 24, metadata: METADATA, ...given });
      let index = 0;
      for await (const frame of backend!.decode(file))
        expect(psnr(frame.rgb, picture(index++))).toBeGreaterThan(FLOOR.gif);
      expect(index).toBe(9);
      expect((await backend!.probe(file)).frames).toBe(9);
      expect((await sharp(file).metadata()).loop).toBe(0);
    });
  });

test.skipIf(!BACKENDS['node-av'])('red is stored as BT.709 says: Y 63, Cb 102, Cr 240', async () => {
  const { Decoder, Demuxer } = await import('node-av/api');
  const file = path.join(directory, 'planes.mp4');
  const red = new Uint8Array(SIZE.width * SIZE.height * 3).map((_, i) => (i % 3 === 0 ? 255 : 0));
  await encodeVideo([red], { path: file, ...SIZE, fps: 12, metadata: {} });
  const input = await Demuxer.open(file);
  const decoder = await Decoder.create(input.video()!);
  let planes: Buffer | undefined;
  for await (const frame of decoder.frames(input.packets())) planes ??= frame?.toBuffer();
  decoder.close();
  await input.close();
  const luma = SIZE.width * SIZE.height;
  const middle = (SIZE.height / 4) * (SIZE.width / 2) + SIZE.width / 4;
  for (const [at, want] of [
    [luma / 2 + 32, 63],
    [luma + middle, 102],
    [luma * 1.25 + middle, 240],
  ] as const)
    expect(Math.abs(planes![at]! - want)).toBeLessThanOrEqual(1);
});

test.skipIf(!BACKENDS['node-av'] || !BACKENDS.ffmpeg)('what one backend writes the other reads alike', async () => {
  for (const [writer, reader] of [
    [BACKENDS['node-av']!, BACKENDS.ffmpeg!],
    [BACKENDS.ffmpeg!, BACKENDS['node-av']!],
  ])
    for (const format of ['mp4', 'webm'] as const) {
      const file = path.join(directory, `${writer!.name}-crossed.${format}`);
      await encodeVideo(pictures(8), { path: file, ...SIZE, fps: 24, metadata: METADATA, backend: writer! });
      expect(await readVideoMetadata(file, { backend: reader! })).toEqual(METADATA);
      const [own, other] = [await collect(writer!.decode(file)), await collect(reader!.decode(file))];
      expect(other.length).toBe(8);
      for (const [i, frame] of own.entries()) expect(psnr(frame, other[i]!)).toBeGreaterThan(45);
    }
});
