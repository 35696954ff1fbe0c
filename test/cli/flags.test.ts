/** Flags: what is read, and the words with which everything else is refused. */
import { describe, expect, it } from 'vitest';
import { describeFlags, type Flag, parseFlags } from '../../src/cli/flags.ts';
import { REQUEST_FLAGS, requestFromFlags } from '../../src/cli/request-flags.ts';

const FLAGS: Flag[] = [
  { name: 'steps', kind: 'number', value: 'N', about: 'denoising steps' },
  { name: 'guidance', kind: 'number', value: 'X', about: 'guidance' },
  { name: 'out', kind: 'text', value: 'PATH', about: 'the file' },
  { name: 'json', kind: 'switch', value: '', about: 'lines' },
  { name: 'help', kind: 'switch', value: '', about: 'this text' },
  { name: 'save-latents', kind: 'file?', value: '[FILE]', about: 'keep' },
];
const parse = (...args: string[]) => parseFlags('generate', args, FLAGS);

describe('parseFlags', () => {
  it.each([
    [['a prompt'], {}, ['a prompt']],
    [['--steps', '5', 'a', '--json'], { steps: 5, json: true }, ['a']],
    [['--steps=5', '--out=--odd'], { steps: 5, out: '--odd' }, []],
    [['--guidance', '-1'], { guidance: -1 }, []],
    [['--guidance', 'NaN'], { guidance: Number.NaN }, []],
    [['--steps', 'many'], { steps: 'many' }, []],
    [['--steps', ''], { steps: '' }, []],
    [['-h'], { help: true }, []],
    [['--save-latents', 'a prompt'], { 'save-latents': true }, ['a prompt']],
    [['--save-latents', 'x.safetensors', 'a prompt'], { 'save-latents': 'x.safetensors' }, ['a prompt']],
    [['--save-latents=y.safetensors'], { 'save-latents': 'y.safetensors' }, []],
    [['--', '--steps'], {}, ['--steps']],
  ])('%j', (args, values, words) => {
    expect(parse(...args)).toEqual({ values, words });
  });

  it.each([
    [['--stpes', '5'], 'generate: unknown flag --stpes (try --steps)'],
    [['--colour', 'red'], 'generate: unknown flag --colour (try step-video help generate)'],
    [['-x'], 'generate: unknown flag -x (try step-video help generate)'],
    [['-steps', '5'], 'generate: unknown flag -s (try step-video help generate)'],
    [['--no-json'], 'generate: unknown flag --no-json (try step-video help generate)'],
    [['--steps'], 'generate: --steps needs a value: N'],
    [['--steps', '--json'], 'generate: --steps needs a value: N'],
    [['--json=yes'], 'generate: --json takes no value, got yes'],
    [['--steps', '1', '--steps', '2'], 'generate: --steps must be given once'],
  ])('refuses %j', (args, message) => {
    expect(() => parse(...args)).toThrow(message);
  });
});

it('describeFlags writes one aligned line a flag', () => {
  expect(describeFlags(FLAGS.slice(0, 3))).toBe(
    ['  --steps N     denoising steps', '  --guidance X  guidance', '  --out PATH    the file'].join('\n'),
  );
});

describe('requestFromFlags', () => {
  it('has the flags of the contract', () => {
    const names =
      'seed rng steps guidance time-shift step-cache negative frames size fps out format preview preview-every model device memory tile resume save-latents';
    expect(REQUEST_FLAGS.map(({ name }) => name).sort()).toEqual(names.split(' ').sort());
  });

  it('maps flags to fields', () => {
    const values = { negative: 'blur', guidance: 4, 'time-shift': 2, 'save-latents': true, size: '128x128' };
    expect(requestFromFlags(values, ['a fox'])).toEqual({
      prompt: 'a fox',
      negativePrompt: 'blur',
      guidanceScale: 4,
      timeShift: 2,
      saveLatents: true,
      size: '128x128',
    });
  });

  it.each([
    [{ guidance: Number.NaN }, ['x'], 'generate: --guidance must be a number from 0 to 100, got NaN'],
    [{ frames: 20 }, ['x'], 'generate: --frames must be 1 or a multiple of 17, got 20 (try 17 or 34)'],
    [{ steps: 'many' }, ['x'], 'generate: --steps must be a whole number from 1 to 1000, got many'],
    [{}, [], 'generate: prompt must be given'],
    [{}, ['a', 'red', 'apple'], 'generate: the prompt must be one argument, got a red apple (try "a red apple")'],
    [{ resume: 'f', seed: 1 }, [], 'generate: --seed must not be given with resume, whose file holds it, got 1'],
  ])('names flags in errors: %j %j', (values, words, message) => {
    expect(() => requestFromFlags(values, words)).toThrow(message);
  });
});
