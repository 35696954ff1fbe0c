/**
 * The first half of BertTokenizer (the slow one of transformers 4.48): text to words, punctuation and CJK characters.
 * Character classes are those of Unicode 14, that of the reference ids.
 * Does not know the vocabulary.
 */

import { dropLater } from './unicode-age.ts';

/** How text is prepared, as `tokenizer_config.json` names it. */
export type BasicTokenizerOptions = {
  lowerCase: boolean;
  /** undefined: as `lowerCase`. */
  stripAccents: boolean | undefined;
  chineseCharacters: boolean;
  /** Whole words that stay as they are. */
  neverSplit: ReadonlySet<string>;
};

const control = /[\0\uFFFD]|(?![\t\n\r])\p{C}/gu;
const space = /[\t\n\r\p{Zs}]/gu;
const chinese =
  /[\u4E00-\u9FFF\u3400-\u4DBF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B820}-\u{2CEAF}\uF900-\uFAFF\u{2F800}-\u{2FA1F}]/gu;
const accents = /[\p{Mn}\u{1171E}]/gu; // U+1171E was Mn until Unicode 16
const punctuation = /([!-/:-@[-`{-~]|\p{P})/u;
// What Python's str.split() splits at; JavaScript's \s differs (U+FEFF, U+001C-1F, U+0085).
// biome-ignore lint/suspicious/noControlCharactersInRegex: the separators are control characters
const pythonSpace = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;

/** Words at Python's whitespace, none empty. */
export const splitWhitespace = (text: string): string[] => text.split(pythonSpace).filter((word) => word !== '');

/** Words, punctuation marks and CJK characters of `text`, cleaned and (by option) lower-cased without accents. */
export function basicTokens(text: string, options: BasicTokenizerOptions): string[] {
  let cleaned = dropLater(text.replace(control, '')).replace(space, ' ');
  if (options.chineseCharacters) cleaned = cleaned.replace(chinese, ' $& ');
  const tokens: string[] = [];
  for (const word of splitWhitespace(cleaned.normalize('NFC'))) {
    if (options.neverSplit.has(word)) {
      tokens.push(word);
      continue;
    }
    let form = options.lowerCase ? word.toLowerCase() : word;
    if (options.stripAccents ?? options.lowerCase) form = form.normalize('NFD').replace(accents, '');
    for (const part of form.split(punctuation)) tokens.push(...splitWhitespace(part));
  }
  return tokens;
}
