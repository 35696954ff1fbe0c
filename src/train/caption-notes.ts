/**
 * What a denoiser run should tell of its captions: words that its vocabularies lack, and text that it cuts. Changes nothing.
 */
import type { Tokenizers } from '../prompt/tokenize.ts';

/** Words that a note names. */
const SHOWN_WORDS = 12;

/** Notes on `texts`, which hold every word of the captions; `words` is the model whose vocabularies are used, none where they are built of these texts. */
export function captionNotes(
  texts: readonly string[],
  { tokenizers, words, textTokens }: { tokenizers: Tokenizers; words: string | undefined; textTokens: number },
): string[] {
  const unknown = new Set(words === undefined ? [] : texts.flatMap((text) => strangeWords(text, tokenizers)));
  const long = texts.filter((text) => tokenizers.tokenizePrompt(text).llm.length > textTokens);
  const notes: string[] = [];
  if (unknown.size > 0) {
    const more = unknown.size > SHOWN_WORDS ? `, and ${unknown.size - SHOWN_WORDS} more` : '';
    const named = [...unknown].slice(0, SHOWN_WORDS).join(', ') + more;
    notes.push(
      `${unknown.size} words of the captions are not in the vocabularies of ${words}, which at most spell them: ${named}`,
    );
  }
  if (long.length > 0) notes.push(`${long.length} captions are cut after textTokens, ${textTokens}`);
  return notes;
}

const segmenter = new Intl.Segmenter('en', { granularity: 'word' });

/** Words that a tokenizer does not know, and those that CLIP's takes mostly letter by letter, so that nothing was learnt of them. */
function strangeWords(text: string, { clip, unknownWords }: Tokenizers): string[] {
  const spelt = [...segmenter.segment(text)].flatMap(({ segment }) =>
    /^\p{Script=Latin}{2,}$/u.test(segment) && clip.tokenIds(segment).length > segment.length / 2 ? [segment] : [],
  );
  return [...unknownWords(text), ...spelt];
}
