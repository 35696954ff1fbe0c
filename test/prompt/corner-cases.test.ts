/** Rules that the recorded vocabularies do not exercise; the expected ids are those of the reference tokenizers. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SentencePieceModel } from '../../src/prompt/sentencepiece.ts';
import { decodeModel, encodeModel, pieceType } from '../../src/prompt/sentencepiece-proto.ts';
import { loadWordPiece, WordPieceTokenizer } from '../../src/prompt/wordpiece.ts';

const golden = new URL('../golden/', import.meta.url).pathname;
const special = { cls: '[CLS]', sep: '[SEP]', unk: '[UNK]', pad: '[PAD]', mask: '[MASK]' };
const plain = {
  lowerCase: false,
  stripAccents: undefined,
  chineseCharacters: true,
  neverSplit: new Set<string>(),
  basic: true,
};

it('unigram scores add up in float32, and the path found first wins a tie', async () => {
  const path = `${golden}prompt/unigram-no-bytes.model`;
  const model = decodeModel(await readFile(path), path);
  // -0.1 + -0.2 in float64 is above float32(-0.3); in float32 it is equal to it.
  model.pieces = (
    [
      ['<unk>', 0],
      ['a', -0.1],
      ['b', -0.2],
      ['ab', -0.3],
    ] as const
  ).map(([text, score], id) => ({
    piece: new TextEncoder().encode(text),
    score,
    type: id === 0 ? pieceType.unknown : pieceType.normal,
  }));
  expect(new SentencePieceModel(encodeModel(model), path).encode('abab')).toEqual([3, 3]);
});

it('WordPiece composes characters before it looks them up', () => {
  const options = { ...plain, special, added: [], maxLength: 77 };
  const tokenizer = new WordPieceTokenizer([...Object.values(special), 'é', '##é'], options, 'vocab.txt');
  expect(tokenizer.tokenIds('e\u0301é')).toEqual([5, 6]);
});

it('a configuration may add tokens with their own rules for what stands beside them', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'added-tokens-'));
  await cp(`${golden}parity/checkpoint/hunyuan_clip/tokenizer`, directory, { recursive: true });
  const flags = { special: false, lstrip: false, rstrip: false, single_word: false, normalized: false };
  const config = {
    do_lower_case: true,
    model_max_length: 1e30, // what a tokenizer without a limit saves
    added_tokens_decoder: {
      8: { ...flags, content: '[MASK]', special: true, lstrip: true },
      394: { ...flags, content: '<Cat>', rstrip: true, normalized: true },
      395: { ...flags, content: 'Tok', single_word: true, normalized: true },
      396: { ...flags, content: 'low' },
    },
  };
  await writeFile(join(directory, 'tokenizer_config.json'), JSON.stringify(config));
  const tokenizer = await loadWordPiece(directory, 394);
  await rm(directory, { recursive: true });
  expect(tokenizer.maxLength).toBe(77);
  expect(tokenizer.tokenIds('<Cat> LOW [MASK]')).toEqual([394, 396, 8]);
  expect(tokenizer.tokenIds('<cat>')).not.toContain(394);
  expect(tokenizer.tokenIds('Tok x')[0]).toBe(395);
  expect(tokenizer.tokenIds('xTok')).not.toContain(395);
  expect(tokenizer.tokenIds('tok')).toEqual([338, 368]);
});
