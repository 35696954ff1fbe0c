/** What the eye sees: plain lines without a terminal, a bar a stage on one. */
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { World } from '../../src/cli/command.ts';
import { progressFor, wait } from '../../src/cli/progress.ts';
import type { GenerateEvent } from '../../src/generate.ts';
import { PRESETS } from '../../src/presets.ts';

const empty = new Float32Array(0);
const shape = { frames: 3, channels: 2, height: 2, width: 2 };

function* events(firstStep: number): Generator<GenerateEvent> {
  const request = { ...PRESETS.mini, prompt: 'a zebra', rng: 'counter' as const, steps: 3, stepCache: 0 };
  yield { type: 'start', request, model: 'm', out: 'o.mp4', firstStep, unknownWords: ['zebra', 'yak'] };
  yield { type: 'text', seconds: 0.24 };
  for (let step = firstStep + 1; step <= 3; step++) {
    yield {
      type: 'step',
      step,
      steps: 3,
      t: step / 3,
      etaSeconds: (3 - step) * 70,
      shape,
      latents: empty,
      denoised: empty,
    };
  }
  yield { type: 'latents', path: 'o.latents.safetensors', step: 3 };
  yield { type: 'retry', reason: 'std::bad_alloc', tile: [64, 96], frames: 2 };
  for (let index = 0; index < 34; index++) yield { type: 'frame', index, frames: 34, rgb: new Uint8Array(0) };
  yield { type: 'done', path: 'o.mp4', frames: 34, bytes: 1, seconds: 1, latents: undefined };
}

function watch(terminal: World['terminal'], firstStep = 0): string[] {
  const notes: string[] = [];
  const signal = new AbortController().signal;
  const progress = progressFor({ print() {}, note: (line) => notes.push(line), terminal, signal, program: 'x' });
  for (const event of events(firstStep)) progress.show(event);
  progress.stop();
  return notes;
}

describe('a preview', () => {
  const small = { type: 'preview', step: 4, steps: 9, width: 2, height: 2, pictures: [], times: [] } as const;
  const stream = () => new PassThrough() as unknown as NodeJS.WriteStream;
  it.each([
    [{ path: 'p.webp' }, undefined, ['preview after step 4 in p.webp']],
    [{ path: 'p.webp' }, stream(), []],
    [{}, undefined, []],
    [{ failure: 'disk full' }, undefined, ['no preview after step 4: disk full']],
    [{ failure: 'disk full' }, stream(), ['no preview after step 4: disk full']],
  ])('is told case %#', (more, terminal, wanted) => {
    const notes: string[] = [];
    progressFor({ terminal, note: (line: string) => notes.push(line) } as unknown as World).show({ ...small, ...more });
    expect(notes).toEqual(wanted);
  });
});

it('says first why it does not run on the device asked for', () => {
  const notes: string[] = [];
  const world = { terminal: undefined, note: (line: string) => notes.push(line) } as unknown as World;
  const [start] = events(0);
  progressFor(world).show({ ...start, deviceWarning: 'device cuda needs a driver' } as GenerateEvent);
  expect(notes[0]).toBe('device cuda needs a driver');
});

describe('without a terminal', () => {
  it('is one line a step and a chunk', () => {
    expect(watch(undefined)).toEqual([
      'the model does not know: zebra, yak',
      'text encoded in 0.2 s',
      'denoise 1/3, 2 min 20 s left',
      'denoise 2/3, 1 min 10 s left',
      'denoise 3/3, 0 s left',
      'memory ran out; decoding goes on in tiles of 64x96, 2 frames at a time',
      'decode 17/34',
      'decode 34/34',
    ]);
  });

  it('counts on where a resumed run stood', () => {
    expect(watch(undefined, 2)).toContain('denoise 3/3, 0 s left');
  });
});

it('on a terminal ends every bar at its full length and shows the cursor again', () => {
  const stream = Object.assign(new PassThrough(), {
    isTTY: true,
    columns: 100,
    cursorTo() {},
    clearLine() {},
    moveCursor() {},
  });
  const written: string[] = [];
  stream.on('data', (chunk) => written.push(String(chunk)));
  const notes = watch(stream as unknown as NodeJS.WriteStream);
  const text = written.join('');
  for (const line of ['text ', '1/1 0.2 s', 'denoise ', '3/3', 'decode ', '34/34']) expect(text).toContain(line);
  expect(text.lastIndexOf('\x1b[?25h')).toBeGreaterThan(text.lastIndexOf('\x1b[?25l'));
  expect(notes).toEqual([
    'the model does not know: zebra, yak',
    'memory ran out; decoding goes on in tiles of 64x96, 2 frames at a time',
  ]);
});

it.each([
  [0.4, '0 s'],
  [59.4, '59 s'],
  [60, '1 min 0 s'],
  [3599, '59 min 59 s'],
  [7500, '2 h 5 min'],
])('wait(%d) is %s', (seconds, text) => expect(wait(seconds)).toBe(text));
