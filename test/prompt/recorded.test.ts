/** Ids against recordings of the official tokenizers: recorded parity cases, the pipeline's prompts, random strings. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SentencePieceModel } from '../../src/prompt/sentencepiece.ts';
import { loadStepTokenizer } from '../../src/prompt/step-tokenizer.ts';
import { loadTokenizers } from '../../src/prompt/tokenize.ts';
import { WordPieceTokenizer } from '../../src/prompt/wordpiece.ts';

const golden = new URL('../golden/', import.meta.url).pathname;
const json = <T>(path: string): T => JSON.parse(readFileSync(golden + path, 'utf8')) as T;
type Case = { text: string; ids: number[]; length: number; pieces?: string[] };

const tokenizers = await loadTokenizers(`${golden}parity/checkpoint`);
const unigram = await loadStepTokenizer(`${golden}parity/tokenizers/spm_unigram.model`);

const padded = (ids: number[], length: number, padding: number): number[] => [
  ...ids,
  ...Array<number>(length - ids.length).fill(padding),
];

describe('recorded cases', () => {
  for (const [name, tokenizer] of [
    ['spm_bpe', tokenizers.llm],
    ['spm_unigram', unigram],
  ] as const) {
    const { cases } = json<{ cases: Case[] }>(`parity/tokenizers/${name}.json`);
    it.each(cases)(`${name}: $text`, ({ text, ids, length, pieces }) => {
      const tokens = tokenizer.encode(text);
      expect([...tokens.ids]).toEqual(padded(ids, 320, 2));
      expect([...tokens.mask]).toEqual(padded(Array<number>(length).fill(1), 320, 0));
      expect(tokens.length).toBe(length);
      const shown = [...tokens.ids.slice(1, length - 1)].slice(0, 24).map((id) => tokenizer.model.pieceOf(id));
      expect(shown).toEqual(pieces);
    });
  }
  const { cases } = json<{ cases: Case[] }>('parity/tokenizers/bert.json');
  it.each(cases)('bert: $text', ({ text, ids, length }) => {
    const tokens = tokenizers.clip.encode(text);
    expect([...tokens.ids]).toEqual(padded(ids, 77, 0));
    expect([...tokens.mask]).toEqual(padded(Array<number>(length).fill(1), 77, 0));
    expect(tokens.length).toBe(length);
  });
});

it('gives the ids and masks of the recorded pipeline run', () => {
  type Recorded = Record<'llm_ids' | 'clip_ids' | 'clip_mask' | 'prompt_mask', number[][]> & { prompts: string[] };
  const recorded = json<Recorded>('prompt/pipeline-ids.json');
  expect(recorded.prompts).toHaveLength(2);
  for (const [i, prompt] of recorded.prompts.entries()) {
    const { llm, clip } = tokenizers.tokenizePrompt(prompt);
    expect([...llm.ids]).toEqual(recorded.llm_ids[i]);
    expect([...clip.ids]).toEqual(recorded.clip_ids[i]);
    expect([...clip.mask]).toEqual(recorded.clip_mask[i]);
    expect([...Array<number>(77).fill(1), ...llm.mask]).toEqual(recorded.prompt_mask[i]);
  }
});

describe('random strings', () => {
  type Recorded = {
    texts: string[];
    models: { name: string; ids: number[][]; decoded: string[] }[];
    bert: { options: Record<string, boolean>; ids: number[][] }[];
  };
  const recorded = json<Recorded>('prompt/random-strings.json');

  it.each(recorded.models)('sentencepiece model $name', ({ name, ids, decoded }) => {
    const parity: Record<string, string> = {
      spm_unigram: 'parity/tokenizers/spm_unigram.model',
      step1_chat_tokenizer: 'parity/checkpoint/step_llm/step1_chat_tokenizer.model',
    };
    const path = golden + (parity[name] ?? `prompt/${name}.model`);
    const model = new SentencePieceModel(readFileSync(path), path);
    expect(recorded.texts.map((text) => model.encode(text))).toEqual(ids);
    expect(ids.map((sequence) => model.decode(sequence))).toEqual(decoded);
  });

  const lines = readFileSync(`${golden}parity/checkpoint/hunyuan_clip/tokenizer/vocab.txt`, 'utf8')
    .trimEnd()
    .split('\n');
  it.each(recorded.bert)('BertTokenizer with $options', ({ options, ids }) => {
    const tokenizer = new WordPieceTokenizer(
      lines,
      {
        lowerCase: options.do_lower_case ?? true,
        stripAccents: options.strip_accents,
        chineseCharacters: options.tokenize_chinese_chars ?? true,
        basic: true,
        neverSplit: new Set(),
        special: { cls: '[CLS]', sep: '[SEP]', unk: '[UNK]', pad: '[PAD]', mask: '[MASK]' },
        added: [],
        maxLength: 77,
      },
      'vocab.txt',
    );
    expect(recorded.texts.map((text) => tokenizer.tokenIds(text))).toEqual(ids);
  });

  it('drops characters that Unicode 14 does not assign, whatever the engine assigns', () => {
    const { clip } = tokenizers;
    expect(clip.tokenIds('a\u{1fae8}b\u{a7dc}c')).toEqual(clip.tokenIds('abc'));
  });
});
