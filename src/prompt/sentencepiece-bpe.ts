/**
 * Sentencepiece's byte-pair encoding: adjacent symbols are merged by score, the leftmost first among equals.
 * Written against the algorithm of sentencepiece 0.2.3 (src/bpe_model.cc).
 * Does not know normalization, byte fallback or ids of unknown pieces: those are the caller's.
 */
import { type ByteString, characterLength } from './byte-string.ts';
import type { PrefixTable } from './prefix-table.ts';

/** What byte-pair encoding asks of a vocabulary. */
export type BpeVocabulary = {
  /** Id of a normal, unused or user-defined piece, else undefined. */
  idOf(piece: ByteString): number | undefined;
  isUnused(id: number): boolean;
  /** Merge order: larger is merged earlier; the bits of the float score, made to order as integers. */
  rank: Int32Array;
  symbols: PrefixTable;
};

/** One stretch of normalized text; `id` is undefined where no piece covers it. */
export type Cut = { piece: ByteString; id: number | undefined };

type Pair = { rank: number; left: number; right: number; size: number };
const maxResegmentDepth = 100;

/** Integers that order as the float scores do, -0 below 0. */
export function scoreRanks(scores: Float32Array): Int32Array {
  const bits = new Int32Array(scores.slice().buffer);
  return bits.map((b) => (b < 0 ? b ^ 0x7fffffff : b));
}

/** Cuts `normalized` into pieces. */
export function bpeCuts(vocabulary: BpeVocabulary, normalized: ByteString): Cut[] {
  const starts: number[] = [];
  const frozen: boolean[] = [];
  for (let at = 0; at < normalized.length; ) {
    const symbol = vocabulary.symbols.longest(normalized, at);
    starts.push(at);
    frozen.push(symbol > 0);
    at += symbol > 0 ? symbol : characterLength(normalized, at);
  }
  const count = starts.length;
  const start = Int32Array.from(starts);
  const size = Int32Array.from(starts, (s, i) => (i + 1 < count ? starts[i + 1]! : normalized.length) - s);
  const previous = Int32Array.from(starts, (_, i) => i - 1);
  const next = Int32Array.from(starts, (_, i) => (i + 1 < count ? i + 1 : -1));
  const text = (i: number): ByteString => normalized.slice(start[i]!, start[i]! + size[i]!);

  const agenda = new Agenda();
  const parts = new Map<ByteString, readonly [ByteString, ByteString]>();
  const offer = (left: number, right: number): void => {
    if (left < 0 || right < 0 || frozen[left] || frozen[right]) return;
    const merged = size[left]! + size[right]!;
    const piece = normalized.slice(start[left]!, start[left]! + merged);
    const id = vocabulary.idOf(piece);
    if (id === undefined) return;
    agenda.push({ rank: vocabulary.rank[id]!, left, right, size: merged });
    if (vocabulary.isUnused(id)) parts.set(piece, [text(left), text(right)]);
  };

  for (let i = 1; i < count; i++) offer(i - 1, i);
  for (let top = agenda.pop(); top; top = agenda.pop()) {
    const { left, right } = top;
    // A symbol only grows or empties, so a pair is current exactly while the sizes still add up.
    if (size[left] === 0 || size[right] === 0 || size[left]! + size[right]! !== top.size) continue;
    size[left] = top.size;
    size[right] = 0;
    next[left] = next[right]!;
    if (next[right]! >= 0) previous[next[right]!] = left;
    offer(previous[left]!, left);
    offer(left, next[left]!);
  }

  const cuts: Cut[] = [];
  const emit = (piece: ByteString, depth: number): void => {
    const id = vocabulary.idOf(piece);
    const halves = id !== undefined && vocabulary.isUnused(id) ? parts.get(piece) : undefined;
    if (depth > maxResegmentDepth || id === undefined || !vocabulary.isUnused(id)) cuts.push({ piece, id });
    else if (halves === undefined) cuts.push({ piece, id: undefined });
    else for (const half of halves) emit(half, depth + 1);
  };
  for (let i = count > 0 ? 0 : -1; i >= 0; i = next[i]!) emit(text(i), 0);
  return cuts;
}

/** Binary heap of pairs: highest rank first, then leftmost. */
class Agenda {
  readonly #heap: Pair[] = [];

  push(pair: Pair): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(pair);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(pair, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = pair;
  }

  pop(): Pair | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

const before = (a: Pair, b: Pair): boolean => a.rank > b.rank || (a.rank === b.rank && a.left < b.left);
