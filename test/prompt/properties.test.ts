/** What must hold for any prompt: ids inside the vocabulary, lengths, masks, and text that comes back whole. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StepVideoError } from '../../src/errors.ts';
import { loadStepTokenizer } from '../../src/prompt/step-tokenizer.ts';
import { loadTokenizers, type TokenIds } from '../../src/prompt/tokenize.ts';

const golden = new URL('../golden/parity/', import.meta.url).pathname;
const tokenizers = await loadTokenizers(`${golden}checkpoint`);
const unigram = await loadStepTokenizer(`${golden}tokenizers/spm_unigram.model`);

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 400 }),
  fc.string({ unit: 'grapheme', maxLength: 400 }),
  fc.string({
    unit: fc.constantFrom(
      'a',
      'c',
      't',
      ' ',
      '\u2581',
      '猫',
      '[SEP]',
      '<|BOT|>',
      '<|MASK_1e69f|>',
      '\0',
      '😀',
      '\ud83d',
    ),
  }),
);

function wellFormed(tokens: TokenIds, size: number, maxLength: number, first: number, last: number): void {
  const { ids, mask, length } = tokens;
  expect(ids.length).toBe(maxLength);
  expect(mask.length).toBe(maxLength);
  expect(length).toBeGreaterThanOrEqual(2);
  expect(length).toBeLessThanOrEqual(maxLength);
  expect(ids.every((id) => id >= 0 && id < size)).toBe(true);
  expect(mask.every((value, i) => value === (i < length ? 1 : 0))).toBe(true);
  expect([ids[0], ids[length - 1]]).toEqual([first, last]);
}

describe('any prompt', () => {
  it('gives ids of the vocabulary between the end tokens', () => {
    fc.assert(
      fc.property(text, (prompt) => {
        const { llm, clip } = tokenizers.tokenizePrompt(prompt);
        wellFormed(llm, tokenizers.llm.model.size, 320, 1, 2);
        wellFormed(clip, tokenizers.clip.size, 77, 6, 7);
        wellFormed(unigram.encode(prompt), unigram.model.size, 320, 1, 2);
      }),
    );
  });

  it('comes back from an identity model with byte fallback', () => {
    const { model } = tokenizers.llm;
    fc.assert(
      fc.property(text, (prompt) => {
        const plain = prompt.replace(/\p{Surrogate}/gu, '\ufffd').replaceAll('\u2581', ''); // the space mark itself reads back as a space
        expect(model.decode(model.encode(plain))).toBe(plain);
      }),
    );
  });

  it('never becomes a control piece', () => {
    fc.assert(
      fc.property(text, (prompt) => {
        for (const { model } of [tokenizers.llm, unigram]) {
          expect(model.encode(prompt).every((id) => model.typeOf(id) !== 3)).toBe(true);
        }
      }),
    );
  });

  it('of 100,000 characters is cut in linear time', () => {
    for (const unit of ['x', '猫', 'cat ', '😀', '一只小猫 runs [SEP] ']) {
      const prompt = unit.repeat(100_000 / unit.length);
      const { llm, clip } = tokenizers.tokenizePrompt(prompt);
      unigram.encode(prompt);
      expect(llm.length).toBe(320);
      expect(clip.length).toBe(unit === 'x' ? 3 : 77 - (unit === '😀' ? 74 : 0));
    }
  }, 20_000);
});

describe('unknown words', () => {
  it('are those that fall to [UNK] or bytes, each once, as written', () => {
    expect(tokenizers.unknownWords('A small cat runs, 猫猫 run.')).toEqual([]);
    expect(tokenizers.unknownWords('Ж 😀 cat Ж 恐龙👍🏽!')).toEqual(['Ж', '😀', '恐龙', '👍🏽']);
    expect(tokenizers.unknownWords(' \n\t...「」')).toEqual([]);
  });
});

it('refuses a prompt that is not a string', () => {
  for (const prompt of [undefined, null, 7, ['a']]) {
    expect(() => tokenizers.tokenizePrompt(prompt as unknown as string)).toThrow(StepVideoError);
  }
});
