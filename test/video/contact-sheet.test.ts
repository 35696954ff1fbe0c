import { rm } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { contactSheet } from '../../src/video/contact-sheet.ts';
import { temporary } from './clip.ts';

let directory: string;
beforeAll(async () => {
  directory = await temporary();
});
afterAll(() => rm(directory, { recursive: true }));

const flat = (r: number, g: number, b: number): Uint8Array =>
  Uint8Array.from({ length: 4 * 3 * 3 }, (_, i) => [r, g, b][i % 3]!);
const FRAMES = [flat(255, 0, 0), flat(0, 255, 0), flat(0, 0, 255), flat(9, 9, 9), flat(200, 100, 50)];

test('frames are laid out row by row', async () => {
  const file = path.join(directory, 'made', 'sheet.png');
  const size = await contactSheet(FRAMES, { width: 4, height: 3, columns: 3, path: file, scale: 2 });
  expect(size).toEqual({ width: 3 * 8 + 2 * 2, height: 2 * 6 + 2 });
  const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height]).toEqual([size.width, size.height]);
  for (const [i, frame] of FRAMES.entries())
    for (const [dx, dy] of [
      [0, 0],
      [7, 5],
    ] as const) {
      const at = ((Math.floor(i / 3) * 8 + dy) * size.width + (i % 3) * 10 + dx) * 3;
      expect([...data.subarray(at, at + 3)]).toEqual([...frame.subarray(0, 3)]);
    }
  const gap = (1 * size.width + 8) * 3;
  expect([...data.subarray(gap, gap + 3)]).toEqual([255, 255, 255]);
});

test('labels get a strip of their own, with characters of markup too', async () => {
  const file = path.join(directory, 'labels.png');
  const options = { width: 4, height: 3, columns: 9, path: file, scale: 10 };
  const size = await contactSheet(FRAMES, { ...options, labels: ['a < b & c', '', '红', 'd'] });
  expect(size).toEqual({ width: 5 * 42 - 2, height: 30 + 16 });
});

test('bad input is refused', async () => {
  const good = { width: 4, height: 3, columns: 2, path: path.join(directory, 'x.png') };
  await expect(contactSheet([], good)).rejects.toThrow('at least one frame');
  await expect(contactSheet([new Uint8Array(3)], good)).rejects.toThrow('frame 0 must have 3 x 4 x 3 bytes, got 3');
  await expect(contactSheet(FRAMES, { ...good, columns: 0 })).rejects.toThrow('columns must be a whole number');
  await expect(contactSheet(FRAMES, { ...good, scale: 0 })).rejects.toThrow('scale must be above 0');
});
