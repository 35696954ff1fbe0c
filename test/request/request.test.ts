/** The request schema: what it accepts, and the exact words with which it refuses everything else. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StepVideoError } from '../../src/errors.ts';
import { PRESETS } from '../../src/presets.ts';
import { fillRequest, type GenerateRequest, parseRequest, requestFields, requestIssues } from '../../src/request.ts';

const refusal = (input: unknown): string => {
  try {
    parseRequest(input);
  } catch (error) {
    if (error instanceof StepVideoError && error.kind === 'input') return error.message;
    throw error;
  }
  return 'accepted';
};

const prompt = 'a red apple';

describe('accepted', () => {
  it.each<GenerateRequest>([
    { prompt },
    { prompt: '一个红苹果在蓝色背景上弹跳 😀', negativePrompt: '' },
    { prompt, frames: 1, size: '16x4096', steps: 1, guidanceScale: 0, seed: 0, fps: 23.976 },
    { prompt, frames: 204, size: '544X992', saveLatents: true, format: 'webm', device: 'cpu' },
    { resume: 'a.latents.safetensors', out: 'b.mp4', fps: 8 },
  ])('%j', (request) => {
    expect(parseRequest(request)).toEqual(request);
  });
});

describe('refused', () => {
  it.each([
    [{}, 'generate: prompt must be given'],
    [{ prompt: '' }, 'generate: prompt must not be empty'],
    [{ prompt: ' \n\t' }, 'generate: prompt must not be empty'],
    [{ prompt: 'x'.repeat(100_000) }, 'generate: prompt must have at most 4000 characters, got 100000 characters'],
    [{ prompt: 7 }, 'generate: prompt must be text, got 7'],
    [{ prompt: null }, 'generate: prompt must be text, got null'],
    [{ prompt: ['a'] }, 'generate: prompt must be text, got ["a"]'],
    [{ prompt: 'a \ud83d b' }, 'generate: prompt must be well-formed Unicode, got a \ud83d b'],
    [
      { prompt, negativePrompt: 'x'.repeat(4001) },
      'generate: negativePrompt must have at most 4000 characters, got 4001 characters',
    ],
    [{ prompt, steps: 0 }, 'generate: steps must be a whole number from 1 to 1000, got 0'],
    [{ prompt, steps: 2.5 }, 'generate: steps must be a whole number from 1 to 1000, got 2.5'],
    [{ prompt, steps: 'abc' }, 'generate: steps must be a whole number from 1 to 1000, got abc'],
    [{ prompt, guidanceScale: Number.NaN }, 'generate: guidanceScale must be a number from 0 to 100, got NaN'],
    [
      { prompt, guidanceScale: Number.POSITIVE_INFINITY },
      'generate: guidanceScale must be a number from 0 to 100, got Infinity',
    ],
    [{ prompt, timeShift: 0 }, 'generate: timeShift must be a number from 0.01 to 1000, got 0'],
    [{ prompt, seed: -1 }, 'generate: seed must be a whole number from 0 to 9007199254740991, got -1'],
    [
      { prompt, seed: 2 ** 53 },
      'generate: seed must be a whole number from 0 to 9007199254740991, got 9007199254740992',
    ],
    [{ prompt, frames: 20 }, 'generate: frames must be 1 or a multiple of 17, got 20 (try 17 or 34)'],
    [{ prompt, frames: 5 }, 'generate: frames must be 1 or a multiple of 17, got 5 (try 1 or 17)'],
    [{ prompt, frames: 0 }, 'generate: frames must be a whole number from 1 to 2040, got 0 (try 1)'],
    [{ prompt, frames: 1e9 }, 'generate: frames must be a whole number from 1 to 2040, got 1000000000 (try 2040)'],
    [
      { prompt, size: '540x960' },
      'generate: size must be HEIGHTxWIDTH in multiples of 16, got 540x960 (try 528x960 or 544x960)',
    ],
    [{ prompt, size: '0x128' }, 'generate: size must be HEIGHTxWIDTH in multiples of 16, got 0x128 (try 16x128)'],
    [
      { prompt, size: '99999x16' },
      'generate: size must be HEIGHTxWIDTH in multiples of 16, got 99999x16 (try 4096x16)',
    ],
    [
      { prompt, size: 'big' },
      'generate: size must be HEIGHTxWIDTH in multiples of 16, got big (try 128x128 or 544x992, height first)',
    ],
    [{ prompt, size: 128 }, 'generate: size must be HEIGHTxWIDTH in multiples of 16, got 128'],
    [{ prompt, format: 'mp5' }, 'generate: format must be one of mp4, webm, gif, webp, png, got mp5 (try mp4)'],
    [{ prompt, rng: 'troch' }, 'generate: rng must be one of counter, torch, torch-bf16, got troch (try torch)'],
    [{ prompt, device: 'gpu' }, 'generate: device must be one of cpu, webgpu, cuda, got gpu (try cpu)'],
    [{ prompt, model: '' }, 'generate: model must be a model directory or the name of a shipped model'],
    [{ prompt, fps: 0 }, 'generate: fps must be a number from 0.1 to 240, got 0'],
    [{ prompt, stpes: 3 }, 'generate: stpes is not a field of a request (try steps)'],
    [{ prompt, colour: 3 }, 'generate: colour is not a field of a request'],
    [{ resume: 'a', prompt }, 'generate: prompt must not be given with resume, whose file holds it, got a red apple'],
    [{ resume: 'a', rng: 'torch' }, 'generate: rng must not be given with resume, whose file holds it, got torch'],
    [{ resume: 'a', seed: 4 }, 'generate: seed must not be given with resume, whose file holds it, got 4'],
    ['a red apple', 'generate: request must be an object, got a red apple'],
    [null, 'generate: request must be an object, got null'],
  ])('%#', (input, message) => {
    expect(refusal(input)).toBe(message);
  });

  it('lists every broken field once', () => {
    const issues = requestIssues({ prompt: '', steps: 0.5, frames: 3, colour: 1 });
    expect(issues.map(({ field }) => field).sort()).toEqual(['colour', 'frames', 'prompt', 'steps']);
  });
});

it('names frames and sizes that are themselves valid', () => {
  fc.assert(
    fc.property(fc.nat(5000), fc.nat(5000), fc.nat(5000), (frames, height, width) => {
      for (const [field, value] of [
        ['frames', frames],
        ['size', `${height}x${width}`],
      ] as const) {
        const hint = requestIssues({ prompt, [field]: value })[0]?.hint;
        for (const named of hint?.split(' or ') ?? []) {
          expect(requestIssues({ prompt, [field]: field === 'size' ? named : Number(named) })).toEqual([]);
        }
      }
    }),
  );
});

it('has a line about every field for the fronts', () => {
  const shown = requestFields();
  expect(shown.map(([field]) => field)).toContain('prompt');
  for (const [, { value, about }] of shown) expect([value, about].every((text) => text.length > 0)).toBe(true);
});

describe('fillRequest', () => {
  it('takes the request first and the preset where it is silent', () => {
    const request = parseRequest({ prompt, size: '192x320', steps: 7, negativePrompt: '' });
    expect(fillRequest(request, PRESETS.official)).toEqual({
      ...PRESETS.official,
      prompt,
      height: 192,
      width: 320,
      steps: 7,
      negativePrompt: '',
      rng: 'counter',
      stepCache: 0,
    });
    expect(fillRequest({ prompt, rng: 'torch', stepCache: 0.1 }, PRESETS.mini)).toEqual({
      ...PRESETS.mini,
      prompt,
      rng: 'torch',
      stepCache: 0.1,
    });
  });
});
