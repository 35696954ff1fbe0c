/** Vocabularies built from captions: whole words, both languages, stable bytes, files that the readers accept. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildVocabularies, type VocabularySizes } from '../../src/prompt/build-vocabulary.ts';
import { loadTokenizers, type Tokenizers } from '../../src/prompt/tokenize.ts';

const captions: string[] = [];
for (const [subject, 主语] of [
  ['apple', '苹果'],
  ['panda', '熊猫'],
  ['dog', '小狗'],
]) {
  for (const [colour, 颜色] of [
    ['red', '红色'],
    ['blue', '蓝色'],
  ]) {
    for (const [motion, 动作] of [
      ['bounces', '弹跳'],
      ['moves left', '向左移动'],
    ]) {
      captions.push(
        `a ${subject} ${motion} on a ${colour} background`,
        `A ${subject} ${motion}. The background is ${colour}.`,
      );
      captions.push(`一只${主语}在${颜色}背景上${动作}`, `${主语}${动作}，${颜色}背景。`);
    }
  }
}
const cjkWords = ['苹果', '熊猫', '小狗', '红色', '蓝色', '背景', '弹跳', '向左', '移动'];
const files = [
  'hunyuan_clip/tokenizer/vocab.txt',
  'hunyuan_clip/tokenizer/tokenizer_config.json',
  'hunyuan_clip/tokenizer/special_tokens_map.json',
  'step_llm/step1_chat_tokenizer.model',
];
let directory: string;
let sizes: VocabularySizes;
let tokenizers: Tokenizers;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vocabulary-'));
  sizes = await buildVocabularies(captions, join(directory, 'a'), { cjkWords, maxLength: 32 });
  tokenizers = await loadTokenizers(join(directory, 'a'));
});
afterAll(() => rm(directory, { recursive: true }));

const pieces = (text: string): (string | undefined)[] => {
  const { model } = tokenizers.llm;
  return model.encode(text).map((id) => model.pieceOf(id));
};

it('keeps each word of the captions whole', () => {
  expect(pieces('a panda moves left on a red background')).toEqual([
    '▁a',
    '▁panda',
    '▁moves',
    '▁left',
    '▁on',
    '▁a',
    '▁red',
    '▁background',
  ]);
  expect(pieces('The dog is blue.')).toEqual(['▁The', '▁dog', '▁is', '▁blue', '.']);
  expect(pieces('一只苹果在红色背景上向左移动。')).toEqual([
    '▁',
    '一',
    '只',
    '苹果',
    '在',
    '红色',
    '背景',
    '上',
    '向左',
    '移动',
    '。',
  ]);
});

it('knows every caption in both vocabularies, and says what it does not know', () => {
  for (const caption of captions) {
    const { llm, clip } = tokenizers.tokenizePrompt(caption);
    expect(tokenizers.unknownWords(caption)).toEqual([]);
    expect(clip.ids.every((id) => id < sizes.clip)).toBe(true);
    expect(llm.ids.every((id) => id < sizes.llm)).toBe(true);
    expect(llm.length).toBeLessThan(24);
  }
  expect(tokenizers.unknownWords('the giraffe and 苹果 or 恐龙 😀')).toEqual(['giraffe', 'and', 'or', '恐龙', '😀']);
  expect(tokenizers.clip.tokenIds('giraffe').some((id) => tokenizers.clip.isUnknown(id))).toBe(false);
  expect(pieces('apples')).toEqual(['▁apple', '<0x73>']);
});

it('writes words that start a sentence in both cases, and no others', () => {
  const { model } = tokenizers.llm;
  for (const known of ['▁a', '▁A', '▁the', '▁The']) expect(model.idOf(known), known).toBeDefined();
  expect(model.idOf('▁Panda')).toBeUndefined();
});

it('gives ids the places that Step-LLM expects and cuts CLIP at its own length', () => {
  const { model } = tokenizers.llm;
  expect([0, 1, 2, 3, 9, 11].map((id) => model.pieceOf(id))).toEqual([
    '<unk>',
    '<s>',
    '</s>',
    '<|BOT|>',
    '<|MASK_1e69f|>',
    '<0x00>',
  ]);
  expect(sizes).toEqual({ clip: tokenizers.clip.size, llm: model.size });
  expect(sizes.llm).toBeLessThan(400);
  expect(tokenizers.clip.encode('a '.repeat(90)).ids).toHaveLength(32);
});

it('writes the same bytes for the same captions', async () => {
  await buildVocabularies(new Set(captions), join(directory, 'b'), {
    cjkWords: [...cjkWords].reverse(),
    maxLength: 32,
  });
  for (const file of files) {
    expect(await readFile(join(directory, 'b', file))).toEqual(await readFile(join(directory, 'a', file)));
  }
});

it('keeps whole words whole for any captions', async () => {
  const word = fc.stringMatching(/^[a-z]{1,6}$/);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(word, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 20 }),
      async (lists) => {
        const target = join(directory, 'any');
        await buildVocabularies(
          lists.map((list) => list.join(' ')),
          target,
        );
        const { llm } = await loadTokenizers(target);
        for (const list of lists) {
          expect(llm.model.encode(list.join(' ')).map((id) => llm.model.pieceOf(id))).toEqual(list.map((w) => `▁${w}`));
        }
      },
    ),
    { numRuns: 20 },
  );
});

it('refuses captions without text and impossible lengths', async () => {
  await expect(buildVocabularies([' '], directory)).rejects.toThrow(/captions must not be empty/);
  await expect(buildVocabularies(captions, directory, { maxLength: 1 })).rejects.toThrow(
    /maxLength must be 2 … 77, got 1/,
  );
});
