import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { StepVideoError } from '../../src/errors.ts';
import { encodeVideo } from '../../src/video/encode.ts';
import { assertWritable, writeFailure } from '../../src/video/writable.ts';
import { everything, picture, SIZE, temporary } from './clip.ts';

let directory: string;
beforeEach(async () => {
  directory = await temporary();
});
afterEach(() => rm(directory, { recursive: true, force: true }));
const at = (...names: string[]) => path.join(directory, ...names);
const posix = process.platform !== 'win32';

test('a new file, an old file and directories to be made are fine, and nothing is left behind', async () => {
  await writeFile(at('old.mp4'), 'x');
  for (const name of ['new.mp4', 'old.mp4', 'a/b/c.webm', 'frames/', 'clip.png']) await assertWritable(at(name));
  expect(await everything(directory)).toEqual(['old.mp4']);
});

test('what cannot be a video file is refused', async () => {
  await mkdir(at('folder.mp4'));
  await writeFile(at('file'), 'x');
  await expect(assertWritable('', 'mp4')).rejects.toThrow('output path: must be a file name');
  await expect(assertWritable(at('folder.mp4'))).rejects.toThrow('must be a file for mp4, not a directory');
  await expect(assertWritable(`${at('folder')}/`, 'mp4')).rejects.toThrow('must name a file for mp4');
  await expect(assertWritable(at('file', 'clip.mp4'))).rejects.toMatchObject({ kind: 'input', op: 'output path' });
  await expect(assertWritable(at('file', 'deeper', 'clip.png'))).rejects.toThrow('is a file');
  await expect(assertWritable(at('clip.avi'))).rejects.toThrow('must be one of mp4, webm, gif, webp, png');
});

test.skipIf(!posix)('devices are never replaced', async () => {
  await expect(assertWritable('/dev/null', 'mp4')).rejects.toThrow(
    'must be a regular file or a new one, got /dev/null',
  );
});

test.skipIf(process.platform !== 'linux')('a place that takes no files is refused, root or not', async () => {
  await expect(assertWritable('/proc/self/clip.mp4')).rejects.toThrow(
    /output path: must be writable, got \/proc\/self\/clip.mp4 \(E/,
  );
  await expect(assertWritable('/proc/nowhere/clip.mp4')).rejects.toThrow('must be writable');
});

test.skipIf(!posix)('permissions are respected', async () => {
  await chmod(directory, 0o555);
  const root = process.getuid?.() === 0;
  if (root) process.seteuid?.(65534); // root may write anywhere, so ask as nobody
  try {
    await expect(assertWritable(at('clip.mp4'))).rejects.toThrow('EACCES');
  } finally {
    if (root) process.seteuid?.(0);
    await chmod(directory, 0o700);
  }
});

test.skipIf(!posix)('a symbolic link stays a link: its target is replaced', async () => {
  await writeFile(at('real.webp'), 'old');
  await symlink(at('real.webp'), at('link.webp'));
  await encodeVideo([picture(0)], { path: at('link.webp'), ...SIZE, fps: 12, metadata: {} });
  const { lstat, readFile } = await import('node:fs/promises');
  expect((await lstat(at('link.webp'))).isSymbolicLink()).toBe(true);
  expect((await readFile(at('real.webp'))).toString('latin1', 0, 4)).toBe('RIFF');
});

test('a full disk is named, our own errors pass, others are wrapped', () => {
  const ours = new StepVideoError('aborted', 'x', 'y');
  expect(writeFailure(ours, 'a.mp4')).toBe(ours);
  const other = new Error('codec trouble');
  expect(writeFailure(other, 'a.mp4')).toMatchObject({
    kind: 'environment',
    message: 'encodeVideo: the encoder must run to its end, got codec trouble while writing a.mp4',
    cause: other,
  });
  for (const error of [
    Object.assign(new Error('x'), { code: 'ENOSPC' }),
    Object.assign(new Error('x'), { code: 'EDQUOT' }),
    new Error('node-av could not write a frame: No space left on device'),
  ])
    expect(writeFailure(error, 'a.mp4')).toMatchObject({ rule: 'the disk must have room for the video', cause: error });
});
