/**
 * Sentencepiece's unigram model: the best-scoring path through all pieces (Viterbi), in float32, the first found
 * among equals. Written against the algorithm of sentencepiece 0.2.3 (src/unigram_model.cc, EncodeOptimized).
 * Does not know normalization, byte fallback or ids of unknown pieces: those are the caller's.
 */
import { type ByteString, characterLength } from './byte-string.ts';
import type { PrefixTable } from './prefix-table.ts';
import type { Cut } from './sentencepiece-bpe.ts';

/** What the search asks of a vocabulary. */
export type UnigramVocabulary = {
  /** All normal, unused and user-defined pieces with their ids. */
  table: PrefixTable;
  isUnused(id: number): boolean;
  isUserDefined(id: number): boolean;
  scores: Float32Array;
  /** Lowest score of the normal pieces. */
  minScore: number;
};

const unknownPenalty = 10;
const resetThreshold = 100_000;
const userDefinedScore = (bytes: number): number => Math.fround(0.1 * (bytes - 1));

/** Cuts `normalized` into pieces. */
export function unigramCuts(vocabulary: UnigramVocabulary, normalized: ByteString): Cut[] {
  const size = normalized.length;
  const best = new Float32Array(size + 1); // score of the best path that ends at a byte
  const from = new Int32Array(size + 1).fill(-1); // where its last piece starts, -1: no path yet
  const id = new Int32Array(size + 1).fill(-1); // its last piece, -1: unknown
  const unknownScore = Math.fround(vocabulary.minScore - unknownPenalty);
  let frontier = 0;

  for (let at = 0; at < size; ) {
    if (Math.abs(best[at]!) > resetThreshold) {
      // Long texts: scores are kept small so that float32 still tells paths apart.
      const offset = best[at]!;
      for (let i = at; i <= frontier; i++) if (i === at || from[i] !== -1) best[i]! -= offset;
    }
    const here = best[at]!;
    const offer = (end: number, score: number, piece: number): void => {
      frontier = Math.max(frontier, end);
      const candidate = Math.fround(score + here);
      if (from[end] !== -1 && candidate <= best[end]!) return;
      best[end] = candidate;
      from[end] = at;
      id[end] = piece;
    };
    const character = characterLength(normalized, at);
    let covered = false;
    vocabulary.table.walk(normalized, at, (piece, length) => {
      if (vocabulary.isUnused(piece)) return;
      offer(at + length, vocabulary.isUserDefined(piece) ? userDefinedScore(length) : vocabulary.scores[piece]!, piece);
      if (length === character) covered = true;
    });
    if (!covered) offer(at + character, unknownScore, -1);
    at += character;
  }

  const cuts: Cut[] = [];
  for (let end = size; end > 0; end = from[end]!) {
    cuts.push({ piece: normalized.slice(from[end]!, end), id: id[end] === -1 ? undefined : id[end] });
  }
  return cuts.reverse();
}
