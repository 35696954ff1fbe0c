import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { probe, readFrames, readVideoMetadata } from '../../src/video/decode.ts';
import { encodeVideo } from '../../src/video/encode.ts';
import { insertGifComment, readGifComments } from '../../src/video/gif-comment.ts';
import { metadataText, parseMetadataText } from '../../src/video/metadata-text.ts';
import { readPngText, withPngText } from '../../src/video/png-text.ts';
import { collect, pictures, SIZE, temporary } from './clip.ts';

let directory: string;
beforeAll(async () => {
  directory = await temporary();
});
afterAll(() => rm(directory, { recursive: true }));

const record = fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), { noNullPrototype: true });

test('any record survives as text', () => {
  fc.assert(
    fc.property(record, (metadata) => {
      const text = metadataText(metadata);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is the point
      expect(text).not.toMatch(/[\u0000-\u001f]/);
      expect(parseMetadataText(text)).toEqual(metadata);
    }),
  );
});

test('comments by other programs are not taken for ours', () => {
  for (const text of [undefined, '', 'made by hand', '{"a":1}', '["a"]', '{broken', 'null'])
    expect(parseMetadataText(text)).toBeUndefined();
});

test('any record survives in a webp and in a png', async () => {
  await fc.assert(
    fc.asyncProperty(record, fc.constantFrom('webp', 'png'), async (metadata, format) => {
      const file = path.join(directory, `any.${format}`);
      await encodeVideo([new Uint8Array(12)], { path: file, width: 2, height: 2, fps: 1, metadata });
      expect(await readVideoMetadata(file)).toEqual(metadata);
    }),
    { numRuns: 40 },
  );
});

test('gif comments of any length, and the picture unharmed', async () => {
  const file = path.join(directory, 'a.gif');
  const gif = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#c08040' } })
    .gif()
    .toBuffer();
  const pixels = await sharp(gif).raw().toBuffer();
  for (const text of ['', 'x', 'y'.repeat(255), '红'.repeat(100), 'z'.repeat(100_000)]) {
    await writeFile(file, gif);
    await insertGifComment(file, text);
    expect(await readGifComments(file)).toEqual([text]);
    expect((await collect(readFrames(file)))[0]).toEqual(
      new Uint8Array(await sharp(gif).removeAlpha().raw().toBuffer()),
    );
  }
  expect(pixels.length).toBeGreaterThan(0);
  await writeFile(file, gif);
  expect(await readVideoMetadata(file)).toBeUndefined();
  await writeFile(file, gif.subarray(0, 20));
  expect(await readGifComments(file)).toEqual([]);
});

test('png texts are valid chunks that a strict reader accepts', async () => {
  const png = await sharp({ create: { width: 3, height: 2, channels: 3, background: '#123456' } })
    .png()
    .toBuffer();
  const file = path.join(directory, 'a.png');
  await writeFile(file, withPngText(png, { Comment: '蓝色 "q"', Title: '' }));
  expect(await readPngText(file)).toEqual({ Comment: '蓝色 "q"', Title: '' });
  const about = await sharp(file, { failOn: 'warning' }).metadata();
  expect(about.comments).toContainEqual({ keyword: 'Comment', text: '蓝色 "q"' });
  expect(await sharp(file, { failOn: 'warning' }).raw().toBuffer()).toEqual(await sharp(png).raw().toBuffer());
  await writeFile(file, png);
  expect(await readVideoMetadata(file)).toBeUndefined();
});

test('webp: sharp sees the loop, the delays and the XMP', async () => {
  const file = path.join(directory, 'b.webp');
  await encodeVideo(pictures(3), { path: file, ...SIZE, fps: 24, metadata: { prompt: '<&>' } });
  const about = await sharp(file, { animated: true }).metadata();
  expect(about).toMatchObject({ pages: 3, pageHeight: SIZE.height, loop: 0, delay: [42, 41, 42] });
  expect(about.xmp?.toString('utf8')).toContain('{&quot;prompt&quot;:&quot;&lt;&amp;&gt;&quot;}');
});

test('reading what is not there says so', async () => {
  await expect(probe(path.join(directory, 'none.mp4'))).rejects.toThrow('the file must exist');
  await expect(probe(path.join(directory, 'none.png'))).rejects.toThrow('numbered png frames');
  await expect(collect(readFrames(directory))).rejects.toThrow('numbered png frames');
});
