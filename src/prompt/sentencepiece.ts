/**
 * A sentencepiece model: text to piece ids and back. Written by hand because @huggingface/tokenizers does not read
 * `.model` files and merges by rank where sentencepiece merges by score.
 * Does not know BOS, EOS, padding or which product a model belongs to.
 */
import { checkpointError, inputError } from '../errors.ts';
import {
  type ByteString,
  bytesToString,
  characterLength,
  fromByteString,
  toByteString,
  wellFormedLength,
} from './byte-string.ts';
import { PrefixTable } from './prefix-table.ts';
import { bpeCuts, type Cut, scoreRanks } from './sentencepiece-bpe.ts';
import { type NormalizeOptions, Normalizer, spaceSymbol } from './sentencepiece-normalizer.ts';
import { decodeModel, modelType, pieceType } from './sentencepiece-proto.ts';
import { unigramCuts } from './sentencepiece-unigram.ts';

/** A vocabulary and its algorithm, ready to encode. Holds no file open. */
export class SentencePieceModel {
  /** Number of pieces; every id that `encode` gives is below it. */
  readonly size: number;
  readonly #pieces: readonly ByteString[];
  readonly #types: readonly number[];
  readonly #ids = new Map<ByteString, number>();
  readonly #byteIds: readonly number[] | undefined;
  readonly #unknownId: number;
  readonly #normalizer: Normalizer;
  readonly #stripLeadingSpaces: { first: boolean; all: boolean };
  readonly #unknownSurface: string;
  readonly #cut: (normalized: ByteString) => Cut[];

  /**
   * `bytes`: a whole `.model` file; `name`: its path, for errors.
   * @throws checkpoint error where sentencepiece itself would refuse the file, or the file is cut short.
   */
  constructor(bytes: Uint8Array, name: string) {
    const model = decodeModel(bytes, name);
    const fail = (rule: string, got?: unknown): Error => checkpointError(`tokenizer ${name}`, rule, got);
    this.size = model.pieces.length;
    this.#pieces = model.pieces.map((piece) => bytesToString(piece.piece));
    this.#types = model.pieces.map((piece) => piece.type);
    const scores = Float32Array.from(model.pieces, (piece) => piece.score);
    const isUnused = (id: number): boolean => this.#types[id] === pieceType.unused;
    const isUserDefined = (id: number): boolean => this.#types[id] === pieceType.userDefined;
    const fromText = (id: number): boolean => this.#types[id] === pieceType.normal || isUnused(id) || isUserDefined(id);

    const byteFallback = model.trainerSpec.byteFallback;
    const matchable: [ByteString, number][] = [];
    const reserved = new Set<ByteString>();
    const byteIds: number[] = [];
    let unknownId = -1;
    for (const [id, piece] of this.#pieces.entries()) {
      if (piece === '') throw fail('no piece may be empty', `piece ${id}`);
      if (!Number.isFinite(scores[id])) throw fail('scores must be finite', `${scores[id]} for piece ${id}`);
      if (fromText(id)) {
        if (this.#ids.has(piece)) throw fail('no piece may be defined twice', fromByteString(piece));
        this.#ids.set(piece, id);
        matchable.push([piece, id]);
        continue;
      }
      if (reserved.has(piece)) throw fail('no piece may be defined twice', fromByteString(piece));
      reserved.add(piece);
      if (this.#types[id] === pieceType.unknown) {
        if (unknownId >= 0) throw fail('must have one unknown piece', `pieces ${unknownId} and ${id}`);
        unknownId = id;
      } else if (this.#types[id] === pieceType.byte) {
        const byte = /^<0x([0-9A-F]{2})>$/.exec(piece)?.[1];
        if (byte === undefined || !byteFallback)
          throw fail('byte pieces must be <0x00> … <0xFF>', fromByteString(piece));
        byteIds[Number.parseInt(byte, 16)] = id;
      }
    }
    if (unknownId < 0) throw fail('must have an unknown piece', 'none');
    if (byteFallback && Object.keys(byteIds).length !== 256) {
      throw fail('byte fallback needs 256 byte pieces', Object.keys(byteIds).length);
    }
    this.#unknownId = unknownId;
    this.#byteIds = byteFallback ? byteIds : undefined;
    this.#unknownSurface = model.trainerSpec.unkSurface;

    const symbols = new PrefixTable(matchable.filter(([, id]) => isUserDefined(id)));
    this.#normalizer = new Normalizer(model, symbols, name);
    const { addDummyPrefix, removeExtraWhitespaces } = model.normalizerSpec;
    this.#stripLeadingSpaces = { first: addDummyPrefix || removeExtraWhitespaces, all: removeExtraWhitespaces };

    const idOf = (piece: ByteString): number | undefined => this.#ids.get(piece);
    const usedIdOf = (piece: ByteString): number | undefined => {
      const id = idOf(piece);
      return id === undefined || isUnused(id) ? undefined : id;
    };
    switch (model.trainerSpec.modelType) {
      case modelType.bpe: {
        const vocabulary = { idOf, isUnused, rank: scoreRanks(scores), symbols };
        this.#cut = (normalized) => bpeCuts(vocabulary, normalized);
        break;
      }
      case modelType.unigram: {
        if (matchable.length === 0) throw fail('must have pieces that text can match', 'none');
        let minScore = Number.POSITIVE_INFINITY;
        for (const [id, score] of scores.entries()) {
          if (this.#types[id] === pieceType.normal) minScore = Math.min(minScore, score);
        }
        if (minScore === Number.POSITIVE_INFINITY) minScore = Math.fround(3.4028234663852886e38); // as FLT_MAX there
        const vocabulary = { table: new PrefixTable(matchable), isUnused, isUserDefined, scores, minScore };
        this.#cut = (normalized) => unigramCuts(vocabulary, normalized);
        break;
      }
      case modelType.word:
        this.#cut = (normalized) => splitWords(normalized).map((piece) => ({ piece, id: usedIdOf(piece) }));
        break;
      case modelType.char:
        this.#cut = (normalized) => {
          const cuts: Cut[] = [];
          for (let at = 0; at < normalized.length; ) {
            const length = symbols.longest(normalized, at) || characterLength(normalized, at);
            const piece = normalized.slice(at, at + length);
            cuts.push({ piece, id: usedIdOf(piece) });
            at += length;
          }
          return cuts;
        };
        break;
      default:
        throw fail('model type must be 1 (unigram), 2 (BPE), 3 (word) or 4 (char)', model.trainerSpec.modelType);
    }
  }

  /** Ids of `text`, without BOS or EOS. Unknown characters become byte pieces, or one unknown piece a run. */
  encode(text: string, options: NormalizeOptions = {}): number[] {
    const ids: number[] = [];
    let afterUnknown = false;
    for (const { piece, id } of this.#cut(this.#normalizer.normalize(toByteString(text), options))) {
      if (id !== undefined) ids.push(id);
      else if (this.#byteIds) for (let i = 0; i < piece.length; i++) ids.push(this.#byteIds[piece.charCodeAt(i)]!);
      else if (!afterUnknown) ids.push(this.#unknownId);
      afterUnknown = id === undefined;
    }
    return ids;
  }

  /** Text of `ids`. @throws input error for an id outside the vocabulary. */
  decode(ids: Iterable<number>): string {
    let text: ByteString = '';
    let bytes: ByteString = '';
    let atStart = true;
    let strippedBefore = false;
    const flush = (): void => {
      for (let at = 0; at < bytes.length; ) {
        const length = wellFormedLength(bytes, at);
        text += length > 0 ? bytes.slice(at, at + length) : toByteString('\ufffd');
        at += Math.max(length, 1);
      }
      bytes = '';
    };
    for (const id of ids) {
      const piece = this.#pieces[id];
      if (piece === undefined) throw inputError('decode', `id must be 0 … ${this.size - 1}`, id);
      if (this.#types[id] === pieceType.byte) {
        bytes += String.fromCharCode(Number.parseInt(piece.slice(3, 5), 16));
        continue;
      }
      flush();
      if (strippedBefore || text !== '') atStart = false;
      strippedBefore = false;
      if (this.#types[id] === pieceType.control) continue;
      if (this.#types[id] === pieceType.unknown) {
        text += toByteString(this.#unknownSurface);
        continue;
      }
      const strip = atStart && this.#stripLeadingSpaces.first && piece.startsWith(spaceSymbol);
      strippedBefore = strip && !this.#stripLeadingSpaces.all;
      text += (strip ? piece.slice(spaceSymbol.length) : piece).replaceAll(spaceSymbol, ' ');
    }
    flush();
    return fromByteString(text);
  }

  /** The piece of an id as text, `▁` for a space; undefined outside the vocabulary. */
  pieceOf(id: number): string | undefined {
    const piece = this.#pieces[id];
    return piece === undefined ? undefined : fromByteString(piece);
  }

  /** Type of an id, see `pieceType`; undefined outside the vocabulary. */
  typeOf(id: number): number | undefined {
    return this.#types[id];
  }

  /** Id of a piece of any type, or undefined. */
  idOf(piece: string): number | undefined {
    const bytes = toByteString(piece);
    const id = this.#pieces.indexOf(bytes);
    return id < 0 ? undefined : id;
  }

  /** Whether an id stands for something the vocabulary does not hold: a byte, or the unknown piece. */
  isFallback(id: number): boolean {
    return this.#types[id] === pieceType.byte || this.#types[id] === pieceType.unknown;
  }
}

/** Words of a word model: each starts at a space symbol. */
function splitWords(normalized: ByteString): ByteString[] {
  const words: ByteString[] = [];
  for (let start = 0; start < normalized.length; ) {
    const next = normalized.indexOf(spaceSymbol, start + 1);
    const end = next < 0 ? normalized.length : next;
    words.push(normalized.slice(start, end));
    start = end;
  }
  return words;
}
