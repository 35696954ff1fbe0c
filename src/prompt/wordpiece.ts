/**
 * BertTokenizer (the slow one of transformers 4.48), read from the files of `hunyuan_clip/tokenizer/`.
 * Does not know the text encoder that takes its ids.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { checkpointError } from '../errors.ts';
import { type BasicTokenizerOptions, basicTokens, splitWhitespace } from './basic-tokenizer.ts';
import { readJson, readText } from './token-file.ts';
import { lowerCharacter } from './unicode-age.ts';

/** Ids of one text, all of the same length: `ids[length…]` is padding, `mask` is 1 for the first `length` and then 0. */
export type TokenIds = { ids: Int32Array; mask: Int32Array; length: number };

/** Token count that the system gives this tokenizer; a smaller `model_max_length` in the config wins. */
export const clipTokens = 77;

const token = z.union([z.string(), z.looseObject({ content: z.string() }).transform((added) => added.content)]);
const specials = { cls_token: token, sep_token: token, unk_token: token, pad_token: token, mask_token: token };
const specialsSchema = z.looseObject(specials).partial();
const addedSchema = z.looseObject({
  content: z.string(),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  single_word: z.boolean().default(false),
  normalized: z.boolean().default(true),
  special: z.boolean().default(false),
});
const configSchema = z
  .looseObject({
    ...specials,
    do_lower_case: z.boolean(),
    do_basic_tokenize: z.boolean(),
    tokenize_chinese_chars: z.boolean(),
    strip_accents: z.boolean().nullable(),
    never_split: z.array(z.string()).nullable(),
    model_max_length: z.number().min(2),
    added_tokens_decoder: z.record(z.string().regex(/^\d+$/), addedSchema),
  })
  .partial();

type Added = z.infer<typeof addedSchema> & { id: number };

/** What a tokenizer is made of; `added` are tokens with their own flags, cut out of the text before all else. */
export type WordPieceOptions = BasicTokenizerOptions & {
  /** false: words are looked up as they stand between spaces. */
  basic: boolean;
  special: { cls: string; sep: string; unk: string; pad: string; mask: string };
  added: readonly Added[];
  /** Ids a text is cut and padded to, ≥ 2. */
  maxLength: number;
};

const maxWordCharacters = 100;

/** Text to ids of a BERT vocabulary. */
export class WordPieceTokenizer {
  /** Number of lines of `vocab.txt`. */
  readonly size: number;
  readonly maxLength: number;
  readonly #vocabulary: ReadonlyMap<string, number>;
  readonly #options: WordPieceOptions;
  readonly #neverSplit: BasicTokenizerOptions;
  readonly #whole: ReadonlyMap<string, Added>;
  readonly #cutWhole: RegExp;
  readonly #keepCase: RegExp;
  readonly #longest: number;
  readonly #id: { cls: number; sep: number; unk: number; pad: number };

  /** `lines`: pieces in id order; `name`: their file, for errors. @throws checkpoint error without the special tokens. */
  constructor(lines: readonly string[], options: WordPieceOptions, name: string) {
    this.size = lines.length;
    this.maxLength = options.maxLength;
    this.#options = options;
    this.#vocabulary = new Map(lines.map((line, id) => [line, id]));
    this.#longest = lines.reduce((longest, line) => Math.max(longest, [...line].length), 1);

    const added = new Map(options.added.map((entry) => [entry.content, entry]));
    const { cls, sep, unk, pad, mask } = options.special;
    for (const content of [unk, sep, pad, cls, mask]) {
      const id = this.#vocabulary.get(content);
      if (id === undefined || added.has(content)) continue;
      added.set(content, {
        content,
        id,
        lstrip: false,
        rstrip: false,
        single_word: false,
        normalized: false,
        special: true,
      });
    }
    this.#whole = added;
    const idOf = (content: string): number => {
      const id = added.get(content)?.id ?? this.#vocabulary.get(content);
      if (id === undefined) {
        throw checkpointError(`tokenizer ${name}`, `vocabulary must hold ${content}`, `${lines.length} other entries`);
      }
      return id;
    };
    this.#id = { cls: idOf(cls), sep: idOf(sep), unk: idOf(unk), pad: idOf(pad) };
    const specialTokens = [unk, sep, pad, cls, mask];
    this.#neverSplit = { ...options, neverSplit: new Set([...options.neverSplit, ...specialTokens]) };
    const keep = [...added.values()]
      .filter((entry) => !entry.special && entry.normalized)
      .map((entry) => entry.content);
    this.#keepCase = new RegExp(`(${[...specialTokens, ...keep].map(escapePattern).join('|')})|.`, 'gsu');
    const longestFirst = [...added.keys()].filter((content) => content !== '').sort((a, b) => b.length - a.length);
    this.#cutWhole = new RegExp(`(${longestFirst.map(escapePattern).join('|')})`, 'u');
  }

  /** `[CLS] … [SEP]`, cut to and padded to `maxLength`. */
  encode(text: string): TokenIds {
    const ids = new Int32Array(this.maxLength).fill(this.#id.pad);
    const body = this.tokenIds(text).slice(0, this.maxLength - 2);
    const length = body.length + 2;
    ids[0] = this.#id.cls;
    ids.set(body, 1);
    ids[length - 1] = this.#id.sep;
    return { ids, mask: new Int32Array(this.maxLength).fill(1, 0, length), length };
  }

  /** Ids of the text alone: no [CLS] or [SEP], no cut. */
  tokenIds(text: string): number[] {
    const cased = this.#options.lowerCase
      ? text.replace(this.#keepCase, (match, special: string | undefined) => special || lowerCharacter(match))
      : text;
    const ids: number[] = [];
    for (const part of this.#cutAdded(cased)) {
      const whole = this.#whole.get(part);
      if (whole) {
        ids.push(whole.id);
        continue;
      }
      const words = this.#options.basic ? basicTokens(part, this.#neverSplit) : splitWhitespace(part);
      for (const word of words) this.#wordIds(word, ids);
    }
    return ids;
  }

  /** Whether an id is the unknown token's. */
  isUnknown(id: number): boolean {
    return id === this.#id.unk;
  }

  /** Text cut around added tokens, each with its own rule for the spaces and words beside it. */
  #cutAdded(text: string): string[] {
    const parts = text.split(this.#cutWhole).filter((part) => part !== '');
    for (let i = 0; i < parts.length; i++) {
      const entry = this.#whole.get(parts[i]!);
      if (!entry) continue;
      const left = parts[i - 1];
      const right = parts[i + 1];
      if (entry.rstrip && right) parts[i + 1] = right.trimStart();
      if (entry.lstrip && left) parts[i - 1] = left.trimEnd();
      if (entry.single_word && left && !left.endsWith(' ')) {
        parts[i - 1] = left + entry.content;
        parts[i] = '';
      } else if (entry.single_word && right && !right.startsWith(' ')) {
        parts[i + 1] = entry.content + parts[i + 1]!;
        parts[i] = '';
      }
    }
    return parts.filter((part) => part !== '');
  }

  /** Greedy longest match from the left; one piece that does not match makes the whole word unknown. */
  #wordIds(word: string, out: number[]): void {
    if (this.#options.basic && this.#options.neverSplit.has(word)) {
      out.push(this.#vocabulary.get(word) ?? this.#id.unk);
      return;
    }
    const characters = [...word];
    const ids: number[] = [];
    for (let start = 0; start < characters.length; ) {
      let end = characters.length > maxWordCharacters ? start : Math.min(characters.length, start + this.#longest);
      let id: number | undefined;
      for (; end > start; end--) {
        id = this.#vocabulary.get((start > 0 ? '##' : '') + characters.slice(start, end).join(''));
        if (id !== undefined) break;
      }
      if (id === undefined) {
        out.push(this.#id.unk);
        return;
      }
      ids.push(id);
      start = end;
    }
    out.push(...ids);
  }
}

/**
 * Reads `vocab.txt`, `tokenizer_config.json` and `special_tokens_map.json` (the last two may be missing: defaults).
 * `entries`: how many lines the text encoder's config expects, if known.
 * @throws checkpoint error that names the file that is missing, empty, cut short or malformed.
 */
export async function loadWordPiece(directory: string, entries?: number): Promise<WordPieceTokenizer> {
  const path = join(directory, 'vocab.txt');
  const lines = (await readText(path)).split(/\r\n|\r|\n/);
  if (lines.at(-1) === '') lines.pop();
  if (entries !== undefined && lines.length !== entries) {
    const hint = lines.length < entries ? 'copying the file again' : undefined;
    throw checkpointError(
      `tokenizer ${path}`,
      `must have ${entries} lines, as the text encoder's config says`,
      lines.length,
      hint,
    );
  }
  const config = await readJson(join(directory, 'tokenizer_config.json'), configSchema);
  const map = await readJson(join(directory, 'special_tokens_map.json'), specialsSchema);
  // A config that lists its added tokens is the newer form, in which the map is not consulted.
  const named = config.added_tokens_decoder ? config : { ...config, ...map };
  const added = Object.entries(config.added_tokens_decoder ?? {}).map(([id, entry]) => ({ ...entry, id: Number(id) }));
  return new WordPieceTokenizer(
    lines,
    {
      lowerCase: config.do_lower_case ?? true,
      stripAccents: config.strip_accents ?? undefined,
      chineseCharacters: config.tokenize_chinese_chars ?? true,
      basic: config.do_basic_tokenize ?? true,
      neverSplit: new Set(config.never_split ?? []),
      special: {
        cls: named.cls_token ?? '[CLS]',
        sep: named.sep_token ?? '[SEP]',
        unk: named.unk_token ?? '[UNK]',
        pad: named.pad_token ?? '[PAD]',
        mask: named.mask_token ?? '[MASK]',
      },
      added,
      maxLength: Math.min(clipTokens, config.model_max_length ?? clipTokens),
    },
    path,
  );
}

const escapePattern = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
