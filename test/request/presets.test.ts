/** Which preset a model directory gets, from its own files alone. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nearestName } from '../../src/nearest.ts';
import { PRESETS, presetOf } from '../../src/presets.ts';
import { parseRequest } from '../../src/request.ts';

const checkpoint = fileURLToPath(new URL('../golden/parity/checkpoint', import.meta.url));

describe('PRESETS', () => {
  it.each(Object.entries(PRESETS))('%s is a valid request', (_, { height, width, promptSuffix, ...fields }) => {
    expect(() => parseRequest({ prompt: `a${promptSuffix}`, size: `${height}x${width}`, ...fields })).not.toThrow();
  });

  it('official holds the published values', () => {
    expect(PRESETS.official).toMatchObject({
      steps: 50,
      guidanceScale: 9,
      timeShift: 13,
      frames: 204,
      height: 544,
      width: 992,
      fps: 25,
    });
    expect(PRESETS.turbo).toMatchObject({ steps: 15, guidanceScale: 5, timeShift: 17 });
  });
});

describe('presetOf', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(path.join(tmpdir(), 'preset-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  const write = (file: string, content: string): void => {
    mkdirSync(path.dirname(path.join(directory, file)), { recursive: true });
    writeFileSync(path.join(directory, file), content);
  };

  it('is official without any file, and for the official configuration', () => {
    expect(presetOf(directory)).toEqual(PRESETS.official);
    write('transformer/config.json', '{"num_layers":48,"num_attention_heads":48,"attention_head_dim":128}');
    expect(presetOf(directory)).toEqual(PRESETS.official);
  });

  it('samples a tiny official-layout checkpoint as officially, but at a small size', () => {
    expect(presetOf(checkpoint)).toEqual(PRESETS.small);
    expect(PRESETS.small).toMatchObject({
      steps: 50,
      guidanceScale: 9,
      timeShift: 13,
      frames: 17,
      height: 128,
      width: 128,
    });
  });

  it('follows step_video.json, whose defaults replace single fields', () => {
    write('step_video.json', '{"preset":"mini","defaults":{"steps":30,"seed":7}}');
    expect(presetOf(directory)).toEqual({ ...PRESETS.mini, steps: 30, seed: 7 });
  });

  it.each([
    ['{"preset":"mimi"}', /^preset: .*step_video\.json must be valid, got preset: /],
    ['{"preset":"mini","steps":3}', /must be valid, got /],
    ['{"preset":"mini","defaults":{"steps":"3"}}', /must be valid, got defaults\.steps: /],
    ['{"preset":', /must be readable JSON/],
  ])('refuses %s', (content, message) => {
    write('step_video.json', content);
    expect(() => presetOf(directory)).toThrow(message);
  });
});

describe('nearestName', () => {
  const names = ['steps', 'seed', 'size', 'guidance', 'time-shift', 'save-latents'];
  it.each([
    ['stpes', 'steps'],
    ['gudance', 'guidance'],
    ['Seed', 'seed'],
    ['save-latent', 'save-latents'],
    ['timeshift', 'time-shift'],
    ['unrelated-thing', undefined],
  ])('%s → %s', (wanted, expected) => expect(nearestName(wanted, names)).toBe(expected));
});
