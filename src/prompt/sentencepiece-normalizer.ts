/**
 * Sentencepiece's text normalizer: the compiled character map (a Darts double array), dummy prefix, extra
 * whitespace, whitespace escaping. Written against the algorithm of sentencepiece 0.2.3 (src/normalizer.cc).
 * Does not know the vocabulary, save for the user-defined symbols that it must leave alone.
 */
import { checkpointError } from '../errors.ts';
import { type ByteString, bytesToString, toByteString, wellFormedLength } from './byte-string.ts';
import type { PrefixTable } from './prefix-table.ts';
import type { ModelProto } from './sentencepiece-proto.ts';

/** U+2581, which stands for a space inside pieces. */
export const spaceSymbol: ByteString = toByteString('\u2581');
const replacement: ByteString = toByteString('\ufffd');
const maxResults = 32; // sentencepiece looks at no more matches than these

/** Options of `normalize`: `dummyPrefix` overrides the model's add_dummy_prefix. */
export type NormalizeOptions = { dummyPrefix?: boolean };

/** Rules of one model's normalizer_spec. */
export class Normalizer {
  readonly #spec: ModelProto['normalizerSpec'];
  readonly #suffix: boolean;
  readonly #symbols: PrefixTable;
  readonly #charsMap: CharsMap | undefined;

  /** `name` is the model's path, for errors. @throws checkpoint error where the character map is broken. */
  constructor(model: ModelProto, symbols: PrefixTable, name: string) {
    this.#spec = model.normalizerSpec;
    this.#suffix = model.trainerSpec.treatWhitespaceAsSuffix;
    this.#symbols = symbols;
    const map = model.normalizerSpec.precompiledCharsmap;
    this.#charsMap = map.length > 0 ? new CharsMap(map, name) : undefined;
  }

  /** Normalized form of `input`. */
  normalize(input: ByteString, options: NormalizeOptions = {}): ByteString {
    const removeExtra = this.#spec.removeExtraWhitespaces;
    const space = this.#spec.escapeWhitespaces ? spaceSymbol : ' ';
    const dummyPrefix = options.dummyPrefix ?? this.#spec.addDummyPrefix;
    let at = 0;
    if (removeExtra) {
      while (at < input.length) {
        const prefix = this.#prefix(input, at);
        if (prefix.text !== ' ') break;
        at += prefix.length;
      }
    }
    if (at >= input.length) return '';

    const parts: ByteString[] = [];
    if (dummyPrefix && !this.#suffix) parts.push(space);
    let afterSpace = removeExtra;
    while (at < input.length) {
      const prefix = this.#prefix(input, at);
      const text = afterSpace ? prefix.text.replace(/^ +/, '') : prefix.text;
      if (text.length > 0) {
        parts.push(text.replaceAll(' ', space));
        afterSpace = removeExtra && text.endsWith(' ');
      }
      at += prefix.length;
    }
    let normalized = parts.join('');
    if (removeExtra) {
      let end = normalized.length;
      while (normalized.endsWith(space, end) && end >= space.length) end -= space.length;
      normalized = normalized.slice(0, end);
    }
    return dummyPrefix && this.#suffix ? normalized + space : normalized;
  }

  /** What the text at `at` becomes, and how many of its bytes that consumes. */
  #prefix(input: ByteString, at: number): { text: ByteString; length: number } {
    const symbol = this.#symbols.longest(input, at);
    if (symbol > 0) return { text: input.slice(at, at + symbol), length: symbol };
    const mapped = this.#charsMap?.longest(input, at);
    if (mapped) return mapped;
    const length = wellFormedLength(input, at);
    return length > 0 ? { text: input.slice(at, at + length), length } : { text: replacement, length: 1 };
  }
}

/** The compiled character map: u32 trie size, double-array trie, then NUL-terminated replacements. */
class CharsMap {
  readonly #units: Uint32Array;
  readonly #replacements: ByteString;

  constructor(blob: Uint8Array, name: string) {
    const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
    const size = blob.length > 4 ? view.getUint32(0, true) : 0;
    const broken = (got: string): Error =>
      checkpointError(`tokenizer ${name}`, 'normalizer must hold a whole character map', got, 'copying the file again');
    if (size < 1024 || size % 1024 !== 0 || size >= blob.length - 4 || blob[blob.length - 1] !== 0) {
      throw broken(`${blob.length} bytes that announce a trie of ${size}`);
    }
    this.#units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
    this.#replacements = bytesToString(blob.subarray(4 + size));
    const fault = this.#fault();
    if (fault !== undefined) throw broken(`a trie whose unit ${fault} points outside it`);
  }

  /** Longest rule that matches at `at`, or undefined. */
  longest(input: ByteString, at: number): { text: ByteString; length: number } | undefined {
    const units = this.#units;
    let node = offset(units[0]!);
    let length = 0;
    let value = 0;
    let results = 0;
    for (let i = at; i < input.length && results < maxResults; i++) {
      const byte = input.charCodeAt(i);
      node ^= byte;
      const unit = units[node]!;
      if (label(unit) !== byte) break;
      node ^= offset(unit);
      if (hasLeaf(unit)) {
        length = i - at + 1;
        value = units[node]! & 0x7fffffff;
        results++;
      }
    }
    if (length === 0) return undefined;
    return { text: this.#replacements.slice(value, this.#replacements.indexOf('\0', value)), length };
  }

  /** Index of a unit that would lead a search out of the array or the replacements, or undefined. */
  #fault(): number | undefined {
    const units = this.#units;
    for (let i = 0; i < units.length; i++) {
      const unit = units[i]!;
      if (label(unit) > 0xff) {
        if ((unit & 0x7fffffff) >= this.#replacements.length) return i;
      } else {
        const child = i ^ offset(unit);
        if ((child | 0xff) >>> 0 >= units.length) return i;
        if (hasLeaf(unit) && label(units[child]!) <= 0xff) return i;
      }
    }
    return label(units[0]!) !== 0 || hasLeaf(units[0]!) || offset(units[0]!) === 0 ? 0 : undefined;
  }
}

// Bit layout of a Darts-clone unit; a leaf's label exceeds 255.
const hasLeaf = (unit: number): boolean => ((unit >>> 8) & 1) === 1;
const label = (unit: number): number => (unit & 0x800000ff) >>> 0;
const offset = (unit: number): number => ((unit >>> 10) << ((unit & 0x200) >>> 6)) >>> 0;
