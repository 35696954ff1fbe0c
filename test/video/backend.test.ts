import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { pickBackend, type VideoBackend } from '../../src/video/backend.ts';
import { openFfmpeg } from '../../src/video/backend-ffmpeg.ts';

const named = (name: 'node-av' | 'ffmpeg'): VideoBackend => ({ name }) as VideoBackend;
const absent = (why: string) => () => Promise.reject(new Error(`${why}\nwith details`));

test('node-av where it loads, else ffmpeg', async () => {
  const ffmpeg = async () => named('ffmpeg');
  expect((await pickBackend('', { 'node-av': async () => named('node-av'), ffmpeg })).name).toBe('node-av');
  expect((await pickBackend(undefined, { 'node-av': absent('no binary'), ffmpeg })).name).toBe('ffmpeg');
});

test('one can be forced, and is not replaced by the other', async () => {
  const both = { 'node-av': async () => named('node-av'), ffmpeg: async () => named('ffmpeg') };
  expect((await pickBackend('ffmpeg', both)).name).toBe('ffmpeg');
  await expect(pickBackend('ffmpeg', { ...both, ffmpeg: absent('spawn ENOENT') })).rejects.toMatchObject({
    kind: 'environment',
    message: expect.stringMatching(
      /^video backend: ffmpeg must load, got ffmpeg: spawn ENOENT \(try apt install ffmpeg/,
    ),
  });
  await expect(pickBackend('gstreamer', both)).rejects.toThrow(
    'STEP_VIDEO_BACKEND must be node-av or ffmpeg, got gstreamer',
  );
});

test('where neither is there the error names both and how to get each', async () => {
  const neither = { 'node-av': absent('no binary'), ffmpeg: absent('spawn ENOENT') };
  await expect(pickBackend(undefined, neither)).rejects.toMatchObject({
    kind: 'environment',
    message:
      'video backend: node-av or the ffmpeg program must be installed, got node-av: no binary; ffmpeg: spawn ENOENT ' +
      '(try npm install node-av, or apt install ffmpeg, brew install ffmpeg or https://ffmpeg.org/download.html, ' +
      'and FFMPEG_PATH if it is not in PATH)',
  });
});

test('a program that is not there does not open', async () => {
  await expect(openFfmpeg('/nowhere/ffmpeg')).rejects.toThrow('ENOENT');
});

test('neither backend is loaded before a video is written', async () => {
  const script =
    "await import('./src/video/encode.ts'); await import('./src/video/decode.ts');" +
    "process.stdout.write(String(process.report.getReport().sharedObjects.some((so) => so.includes('node-av'))))";
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--import',
    'tsx',
    '--input-type=module',
    '-e',
    script,
  ]);
  expect(stdout).toBe('false');
});
