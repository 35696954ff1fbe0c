/**
 * A set of byte strings with values that can be walked byte by byte: the dictionary under piece search and
 * user-defined symbols.
 * Does not know what a value stands for.
 */
import type { ByteString } from './byte-string.ts';

/** What `walk` calls for every entry that is a prefix of the text at `at`, shortest first. */
export type PrefixVisitor = (value: number, length: number) => void;

/** Dictionary with prefix search. One hash table of all prefixes: a lookup a byte, no node objects. */
export class PrefixTable {
  readonly #prefixes = new Map<ByteString, number>();

  /** `entries`: key and value ≥ 0; of two equal keys the last counts. */
  constructor(entries: Iterable<readonly [ByteString, number]>) {
    for (const [key, value] of entries) {
      for (let end = 1; end < key.length; end++) {
        const prefix = key.slice(0, end);
        if (!this.#prefixes.has(prefix)) this.#prefixes.set(prefix, -1);
      }
      this.#prefixes.set(key, value);
    }
  }

  /** Value of exactly `key`, or undefined. */
  get(key: ByteString): number | undefined {
    const value = this.#prefixes.get(key);
    return value === undefined || value < 0 ? undefined : value;
  }

  /** Calls `visit` for every entry that `bytes` continues with at `at`. */
  walk(bytes: ByteString, at: number, visit: PrefixVisitor): void {
    for (let end = at + 1; end <= bytes.length; end++) {
      const value = this.#prefixes.get(bytes.slice(at, end));
      if (value === undefined) return;
      if (value >= 0) visit(value, end - at);
    }
  }

  /** Length in bytes of the longest entry at `at`, 0 where there is none. */
  longest(bytes: ByteString, at: number): number {
    let longest = 0;
    if (this.#prefixes.size > 0) {
      this.walk(bytes, at, (_, length) => {
        longest = length;
      });
    }
    return longest;
  }
}
