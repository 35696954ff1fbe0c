/** Few pictures at uneven times become an animation of the video's length, at about its size. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pictureAt, writePreview } from '../../src/video/preview-animation.ts';
import { everything, temporary } from './clip.ts';

let directory: string;
beforeEach(async () => {
  directory = await temporary();
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const plain = (value: number): Uint8Array => new Uint8Array(2 * 3 * 3).fill(value);
const small = { width: 3, height: 2, pictures: [plain(0), plain(90), plain(200)], times: [0, 4.5, 12.5] };

it.each([
  [-1, 0],
  [0, 0],
  [1.5, 30],
  [4.5, 90],
  [8.5, 145],
  [12.5, 200],
  [16, 200],
])('at frame %d is grey %d', (time, grey) => {
  expect(pictureAt(small, time)).toEqual(plain(grey));
});

describe('the animation', () => {
  it.each(['webp', 'gif'])('in %s lasts as long as the video and replaces what was there', async (format) => {
    const file = path.join(directory, `p.${format}`);
    const job = { path: file, width: 48, height: 32, frames: 17, fps: 12, metadata: { step: '1' } };
    await writePreview({ ...small, pictures: small.pictures.slice(0, 1), times: [0] }, job);
    await writePreview(small, job);
    expect(await everything(directory)).toEqual([`p.${format}`]);
    const { width, pageHeight, pages, delay } = await sharp(file, { animated: true }).metadata();
    expect([width, pageHeight, pages]).toEqual([48, 32, 5]);
    expect(delay!.reduce((a, b) => a + b)).toBeCloseTo((5 * 4 * 1000) / 12, -2);
    const raw = await sharp(file, { animated: true }).removeAlpha().raw().toBuffer();
    const greys = Array.from({ length: 5 }, (_, i) => raw[i * 48 * 32 * 3 + 16 * 48 * 3 + 24 * 3]!);
    [30, 104, 159, 200, 200].forEach((grey, i) => void expect(Math.abs(greys[i]! - grey)).toBeLessThan(8));
  });

  it('is no larger than what shows something, and one picture of a single frame', async () => {
    const file = path.join(directory, 'p.webp');
    const job = { path: file, width: 992, height: 544, frames: 1, fps: 0.1, metadata: {} };
    await writePreview({ ...small, pictures: [plain(7)], times: [0] }, job);
    const { width, height, pages } = await sharp(file, { animated: true }).metadata();
    expect([width, height, pages ?? 1]).toEqual([512, 281, 1]);
  });
});
