import { expect, test } from 'vitest';
import { checkPicture, formatOf, rationalFps } from '../../src/video/format.ts';

test('the format follows the extension, whatever its case', () => {
  expect(formatOf('a/b.mp4')).toBe('mp4');
  expect(formatOf('CLIP.WebM')).toBe('webm');
  expect(formatOf('frames/')).toBe('png');
  expect(formatOf('out', 'GIF')).toBe('gif');
  expect(formatOf('out.bin', 'mp4')).toBe('mp4');
});

test('unknown and contradicting formats are refused with the choices', () => {
  expect(() => formatOf('clip.avi')).toThrow(
    'video format: the extension of the output path must be one of mp4, webm, gif, webp, png, got clip.avi (try clip.mp4)',
  );
  expect(() => formatOf('clip.jpg')).toThrow('(try clip.png)');
  expect(() => formatOf('clip')).toThrow('(try clip.mp4)');
  expect(() => formatOf('clip.mp4', 'avi')).toThrow('must be one of mp4, webm, gif, webp, png, got avi');
  expect(() => formatOf('clip.mp4', 'webm')).toThrow('must agree with the extension of clip.mp4, got webm');
});

test('a rate becomes the fraction that containers store', () => {
  expect(rationalFps(24)).toEqual({ num: 24, den: 1 });
  expect(rationalFps(12.5)).toEqual({ num: 25, den: 2 });
  expect(rationalFps(29.97)).toEqual({ num: 30000, den: 1001 });
  expect(rationalFps(23.976)).toEqual({ num: 24000, den: 1001 });
  expect(rationalFps(8.3)).toEqual({ num: 8300, den: 1000 });
});

test('sizes and rates are checked with the nearest valid value', () => {
  const good = { width: 64, height: 48, fps: 12 };
  for (const format of ['mp4', 'webm', 'gif', 'webp', 'png'] as const) checkPicture(format, good);
  checkPicture('gif', { ...good, width: 63 });
  expect(() => checkPicture('mp4', { ...good, width: 63 })).toThrow(
    'width must be even for mp4, got 63 (try 62 or 64)',
  );
  expect(() => checkPicture('webm', { ...good, height: 1 })).toThrow('height must be even for webm, got 1 (try 2)');
  expect(() => checkPicture('png', { ...good, height: 0 })).toThrow('height must be a whole number');
  expect(() => checkPicture('png', { ...good, width: 1.5 })).toThrow('width must be a whole number');
  expect(() => checkPicture('gif', { ...good, fps: 60 })).toThrow('fps must be from 0.1 to 50 for gif, got 60');
  expect(() => checkPicture('mp4', { ...good, fps: Number.NaN })).toThrow('got NaN');
});
