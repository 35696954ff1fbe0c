/**
 * Builds both tokenizers of a small checkpoint out of its captions, in the official layout.
 * Does not know the encoders; their configs take the sizes that this returns.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { inputError } from '../errors.ts';
import { basicTokens } from './basic-tokenizer.ts';
import { buildSentencePiece } from './build-sentencepiece.ts';
import { lowerCharacter } from './unicode-age.ts';
import { clipTokens } from './wordpiece.ts';

/** `cjkWords`: Chinese words that Step-LLM's vocabulary keeps whole; `maxLength`: CLIP's token count, 2 … 77. */
export type VocabularyOptions = { cjkWords?: readonly string[]; maxLength?: number };
/** Entries of each vocabulary: `vocab_size` of the CLIP config, `padded_vocab_size` at least of the LLM's. */
export type VocabularySizes = { clip: number; llm: number };

const specials = {
  pad_token: '[PAD]',
  unk_token: '[UNK]',
  cls_token: '[CLS]',
  sep_token: '[SEP]',
  mask_token: '[MASK]',
};
const letters = [...'abcdefghijklmnopqrstuvwxyz0123456789'];
const punctuation = [...'.,!?;:\'"-()', ...'。，！？；：、（）“”《》'];

/**
 * Lines of a WordPiece vocabulary: special tokens, punctuation, letters and digits, their `##` continuations (so any
 * Latin word can be spelt), then the words and CJK characters of the captions by frequency.
 */
export function buildWordPiece(captions: Iterable<string>): string[] {
  const counts = new Map<string, number>();
  const options = { lowerCase: true, stripAccents: undefined, chineseCharacters: true, neverSplit: new Set<string>() };
  for (const caption of captions) {
    for (const token of basicTokens([...caption].map(lowerCharacter).join(''), options))
      counts.set(token, (counts.get(token) ?? 0) + 1);
  }
  const words = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([token]) => token);
  const lines = [
    ...Object.values(specials),
    ...punctuation,
    ...letters,
    ...letters.map((letter) => `##${letter}`),
    ...words,
  ];
  return [...new Set(lines)];
}

/**
 * Writes `hunyuan_clip/tokenizer/*` and `step_llm/step1_chat_tokenizer.model` below `directory`. The same captions
 * in the same order give the same bytes.
 * @throws input error without captions, or for a `maxLength` outside 2 … 77.
 */
export async function buildVocabularies(
  captions: Iterable<string>,
  directory: string,
  options: VocabularyOptions = {},
): Promise<VocabularySizes> {
  const { cjkWords = [], maxLength = clipTokens } = options;
  const texts = [...captions];
  if (!texts.some((text) => text.trim() !== ''))
    throw inputError('build vocabulary', 'captions must not be empty', texts.length);
  if (!Number.isInteger(maxLength) || maxLength < 2 || maxLength > clipTokens) {
    throw inputError('build vocabulary', `maxLength must be 2 … ${clipTokens}`, maxLength);
  }
  const lines = buildWordPiece(texts);
  const llm = buildSentencePiece(texts, cjkWords);
  const config = {
    ...specials,
    do_basic_tokenize: true,
    do_lower_case: true,
    model_max_length: maxLength,
    never_split: null,
    strip_accents: null,
    tokenize_chinese_chars: true,
    tokenizer_class: 'BertTokenizer',
  };
  const files: [string, string | Uint8Array][] = [
    ['hunyuan_clip/tokenizer/vocab.txt', `${lines.join('\n')}\n`],
    ['hunyuan_clip/tokenizer/tokenizer_config.json', `${JSON.stringify(config, null, 2)}\n`],
    ['hunyuan_clip/tokenizer/special_tokens_map.json', `${JSON.stringify(specials, null, 2)}\n`],
    ['step_llm/step1_chat_tokenizer.model', llm.bytes],
  ];
  for (const [name, content] of files) {
    const path = join(directory, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
  return { clip: lines.length, llm: llm.size };
}
