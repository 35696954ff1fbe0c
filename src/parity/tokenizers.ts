/**
 * Recorded ids of both tokenizers, each case exactly.
 */
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { checkpointError } from '../errors.ts';
import { loadStepTokenizer } from '../prompt/step-tokenizer.ts';
import { loadWordPiece, type TokenIds, WordPieceTokenizer } from '../prompt/wordpiece.ts';
import { type Comparison, compareExactly } from './compare.ts';
import { readJson } from './vectors.ts';

const caseSchema = z.object({
  text: z.string(),
  ids: z.array(z.number()),
  length: z.number(),
  pieces: z.array(z.string()).optional(),
});
const clipSchema = z.looseObject({
  vocab: z.string(),
  do_lower_case: z.boolean().default(true),
  cases: z.array(caseSchema).min(1),
});
const llmSchema = z.looseObject({
  model: z.string(),
  vocab_size: z.number().optional(),
  empty_list: z.array(z.number()).optional(),
  cases: z.array(caseSchema).min(1),
});
type Case = z.infer<typeof caseSchema>;

/** Cases of the WordPiece tokenizer in `dir`/`name`.json; its vocabulary is named relative to that file. */
export async function compareWordPiece(dir: string, name: string): Promise<Comparison[]> {
  const file = join(dir, `${name}.json`);
  const { vocab, do_lower_case: lowerCase, cases } = await parsed(file, clipSchema);
  const path = join(dirname(file), vocab);
  const tokenizer = await wordPiece(path, lowerCase);
  const padding = tokenizer.encode('').ids.at(-1) as number;
  return cases.flatMap((one, i) => compareCase(one, tokenizer.encode(one.text), { i, padding }));
}

/** The loader of checkpoints where a folder is a tokenizer's; a bare vocabulary otherwise. */
async function wordPiece(path: string, lowerCase: boolean): Promise<WordPieceTokenizer> {
  const config = await stat(join(dirname(path), 'tokenizer_config.json')).catch(() => undefined);
  if (basename(path) === 'vocab.txt' && config !== undefined) return loadWordPiece(dirname(path));
  const lines = (await readFile(path, 'utf8')).trimEnd().split(/\r?\n/);
  const special = { cls: '[CLS]', sep: '[SEP]', unk: '[UNK]', pad: '[PAD]', mask: '[MASK]' };
  return new WordPieceTokenizer(
    lines,
    {
      lowerCase,
      stripAccents: undefined,
      chineseCharacters: true,
      basic: true,
      neverSplit: new Set(),
      special,
      added: [],
      maxLength: 77,
    },
    path,
  );
}

/** Cases of a sentencepiece model in `dir`/`name`.json. */
export async function compareSentencePiece(dir: string, name: string): Promise<Comparison[]> {
  const file = join(dir, `${name}.json`);
  const { model, vocab_size: size, empty_list: empty, cases } = await parsed(file, llmSchema);
  const tokenizer = await loadStepTokenizer(join(dirname(file), model));
  const comparisons: Comparison[] = [];
  if (size !== undefined) comparisons.push(compareExactly('vocab_size', [tokenizer.model.size], [size]));
  const nothing = tokenizer.encode('');
  if (empty) comparisons.push(compareExactly('empty_list', nothing.ids.subarray(0, nothing.length), empty));
  const padding = nothing.ids.at(-1) as number;
  cases.forEach((one, i) => {
    const tokens = tokenizer.encode(one.text);
    comparisons.push(...compareCase(one, tokens, { i, padding }));
    if (one.pieces === undefined) return;
    const body = [...tokens.ids.subarray(1, tokens.length - 1)].slice(0, one.pieces.length);
    const same = body.map((id, k) => Number(tokenizer.model.pieceOf(id) === one.pieces?.[k]));
    comparisons.push(
      compareExactly(
        `case ${i} pieces`,
        same,
        one.pieces.map(() => 1),
      ),
    );
  });
  return comparisons;
}

/** Ids with their padding, and the mask. */
function compareCase(one: Case, tokens: TokenIds, { i, padding }: { i: number; padding: number }): Comparison[] {
  const total = tokens.ids.length;
  const ids = Array.from({ length: total }, (_, k) => (k < one.ids.length ? one.ids[k]! : padding));
  const mask = Array.from({ length: total }, (_, k) => Number(k < one.length));
  return [
    compareExactly(`case ${i} ids`, tokens.ids, one.ids.length <= total ? ids : one.ids),
    compareExactly(`case ${i} mask`, tokens.mask, mask),
  ];
}

async function parsed<T>(file: string, schema: z.ZodType<T>): Promise<T> {
  const result = schema.safeParse(await readJson(file));
  if (!result.success) {
    const { path, message } = result.error.issues[0]!;
    throw checkpointError(`recorded set ${file}`, 'must describe tokenizer cases', `${path.join('.')}: ${message}`);
  }
  return result.data;
}
