import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  drawText,
  fragmentsOf,
  type Grammar,
  kept,
  patternOf,
  plainestText,
  wordsAndMarks,
} from '../../src/data/captions-grammar.ts';
import { randomStream } from '../../src/data/random.ts';

const grammar: Grammar = [
  { start: { '{who} {does}.': 3, 'look: {who}, {who} {does}': 1, 'never {nothing}': 0 } },
  { who: ['a cat', 'a dog (big)'], does: ['sits', 'runs {how}'], how: ['fast', 'far'] },
];
const draws = (count: number) =>
  Array.from({ length: count }, (_, i) => drawText(grammar, 'start', randomStream(1, i)));

describe('a caption grammar', () => {
  it('draws by weight, and nothing of weight 0', () => {
    const texts = draws(2000);
    const looks = texts.filter((text) => text.startsWith('look')).length / texts.length;
    expect(looks).toBeGreaterThan(0.21);
    expect(looks).toBeLessThan(0.29);
    expect(texts.filter((text) => text.startsWith('never'))).toEqual([]);
    expect(new Set(texts).size).toBe(2 * 2 * 3);
  });

  it('gives a symbol that comes twice the same text', () => {
    for (const text of draws(200).filter((text) => text.startsWith('look')))
      expect(text).toMatch(/^look: (a cat|a dog \(big\)), \1 /);
  });

  it('has a plainest text: the first alternative everywhere', () => {
    expect(plainestText(grammar, 'start')).toBe('a cat sits.');
  });

  it('lists the pieces of all texts, and matches what it draws and no other', () => {
    expect([...fragmentsOf(grammar, 'start')].sort()).toEqual(
      [' ', '.', 'look: ', ', ', 'a cat', 'a dog (big)', 'sits', 'runs ', 'fast', 'far'].sort(),
    );
    const pattern = patternOf(grammar, 'start');
    for (const text of draws(100)) expect(text).toMatch(pattern);
    for (const text of ['a cat sits', 'never ', 'a cat sits..', 'a bird sits.']) expect(text).not.toMatch(pattern);
  });

  it('keeps to a length that some text has, and gives the text anyway where none has', () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        expect(drawText(grammar, 'start', randomStream(seed), 7)).toMatch(
          /^(a cat (sits|runs fast|runs far)|a dog \(big\) sits)\.$/,
        );
        expect(drawText(grammar, 'start', randomStream(seed), 1)).toMatch(patternOf(grammar, 'start'));
      }),
      { numRuns: 200 },
    );
    expect(wordsAndMarks('a t-rex 在 草地 上，停.')).toEqual([
      'a',
      't',
      '-',
      'rex',
      '在',
      '草地',
      '上',
      '，',
      '停',
      '.',
    ]);
  });

  it('names a symbol without a rule', () => {
    expect(() => plainestText([{ start: ['{lost}'] }], 'start')).toThrow(/every symbol must have a rule, got lost/);
  });

  it('keeps what was made, by all arguments', () => {
    let made = 0;
    const make = kept((a: string, b: boolean | undefined) => ({ [`${a} ${b} ${++made}`]: [] }));
    expect(make('x', true)).toBe(make('x', true));
    expect(make('x', false)).not.toBe(make('x', true));
    expect(make('x', undefined)).not.toBe(make('x', false));
    expect(made).toBe(3);
  });
});
