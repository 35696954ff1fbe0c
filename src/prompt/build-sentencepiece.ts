/**
 * Makes a small Step-LLM vocabulary out of captions: a sentencepiece unigram model of whole words and characters.
 * Does not know where captions come from or where the file goes.
 */
import { toByteString } from './byte-string.ts';
import { encodeModel, type ModelProto, modelType, type PieceProto, pieceType } from './sentencepiece-proto.ts';
import { controlPieces, maskPieces } from './step-tokenizer.ts';

const spaceMark = '\u2581';
const runs = /\p{Script=Han}+|[\p{L}\p{N}\p{M}'’]+|[^\p{L}\p{N}\p{M}\s]/gu;
const han = /^\p{Script=Han}/u;
const sentenceEnd = /[.!?。！？]["”’)）]*$/u;

/**
 * How often each piece is seen: words with `▁` where a space or the start precedes them, CJK words of `cjkWords`
 * (longest first) or else characters, punctuation marks one by one. Words that start a sentence count in both cases.
 */
function countPieces(captions: Iterable<string>, cjkWords: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>([[spaceMark, 1]]);
  const see = (piece: string, times: number): void => {
    counts.set(piece, (counts.get(piece) ?? 0) + times);
  };
  const longestFirst = [...cjkWords].sort((a, b) => b.length - a.length);
  for (const caption of captions) {
    let startsSentence = true;
    for (const chunk of caption.split(/\s+/).filter((part) => part !== '')) {
      for (const match of chunk.matchAll(runs)) {
        const run = match[0];
        const mark = match.index === 0 ? spaceMark : '';
        if (han.test(run)) {
          if (mark !== '') see(spaceMark, 1);
          for (let at = 0; at < run.length; ) {
            const word = longestFirst.find((candidate) => run.startsWith(candidate, at));
            const piece = word ?? String.fromCodePoint(run.codePointAt(at)!);
            see(piece, 1);
            at += piece.length;
          }
          // Characters stay pieces of their own, so that other words made of them are not unknown.
          for (const character of run) see(character, 0);
        } else if (/[\p{L}\p{N}]/u.test(run)) {
          see(mark + run, 1);
          if (startsSentence) for (const form of bothCases(run)) see(mark + form, 0);
        } else {
          if (mark !== '') see(spaceMark, 1);
          see(run, 1);
        }
        startsSentence = false;
      }
      startsSentence = sentenceEnd.test(chunk);
    }
  }
  for (const word of cjkWords) {
    see(word, 0);
    for (const character of word) see(character, 0);
  }
  return counts;
}

const bothCases = (word: string): string[] => {
  const [first = '', ...rest] = word;
  return [first.toLowerCase() + rest.join(''), first.toUpperCase() + rest.join('')];
};

/**
 * Bytes of the `.model` file and its number of pieces. The same captions and words give the same bytes.
 * Ids: 0 <unk>, 1 <s>, 2 </s>, the control pieces and mask pieces of Step-LLM, 256 bytes, then pieces by frequency.
 */
export function buildSentencePiece(
  captions: Iterable<string>,
  cjkWords: readonly string[],
): { bytes: Uint8Array; size: number } {
  const counts = [...countPieces(captions, cjkWords)].sort(
    ([a, m], [b, n]) => n - m || (toByteString(a) < toByteString(b) ? -1 : 1),
  );
  const most = Math.log(1 + (counts[0]?.[1] ?? 0));
  // Log-frequencies squeezed into [-1.05, -1]: one piece always beats two, so a whole word is never cut, and
  // frequency only decides between cuts of equal length.
  const score = (count: number): number => -1 - 0.05 * (1 - Math.log(1 + count) / most);
  const encoder = new TextEncoder();
  const piece = (text: string, type: number, value = 0): PieceProto => ({
    piece: encoder.encode(text),
    score: value,
    type,
  });
  const hex = (byte: number): string => byte.toString(16).toUpperCase().padStart(2, '0');
  const pieces = [
    piece('<unk>', pieceType.unknown),
    piece('<s>', pieceType.control),
    piece('</s>', pieceType.control),
    ...controlPieces.map((text) => piece(text, pieceType.control)),
    ...maskPieces.map((text) => piece(text, pieceType.userDefined)),
    ...Array.from({ length: 256 }, (_, byte) => piece(`<0x${hex(byte)}>`, pieceType.byte)),
    ...counts.map(([text, count]) => piece(text, pieceType.normal, score(count))),
  ];
  const model: ModelProto = {
    pieces,
    trainerSpec: {
      modelType: modelType.unigram,
      vocabSize: pieces.length,
      controlSymbols: [...controlPieces],
      userDefinedSymbols: [...maskPieces],
      byteFallback: true,
      treatWhitespaceAsSuffix: false,
      hardVocabLimit: false,
      unkId: 0,
      bosId: 1,
      eosId: 2,
      padId: -1,
      unkSurface: ' \u2047 ',
    },
    normalizerSpec: {
      name: 'identity',
      precompiledCharsmap: new Uint8Array(),
      addDummyPrefix: true,
      removeExtraWhitespaces: true,
      escapeWhitespaces: true,
    },
  };
  return { bytes: encodeModel(model), size: pieces.length };
}
