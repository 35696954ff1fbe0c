/**
 * Random numbers as a pure function of (seed, stream, index): Philox4x32-10 counters and the Box-Muller transform.
 * Computed on the host in float64 and rounded to float32 once, so every device, batch size and process count sees the
 * same values. Does not know what the numbers are for, and keeps no state between calls.
 *
 * Philox: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", with 10 rounds.
 */
import { inputError } from '../errors.ts';

const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;
const ROUNDS = 10;
const TWO_32 = 2 ** 32;

/**
 * Where in the number sequence to read: element `offset + i` of stream `stream` of `seed`.
 * `seed` and `offset` are integers in [0, 2^53); `stream` is a 32-bit unsigned integer that keeps uses of one seed
 * (latents, posterior samples, time steps …) apart.
 */
export type Draw = { seed: number; length: number; offset?: number; stream?: number };

/** Upper 32 bits of the unsigned 32 × 32 product, from 16-bit halves because a double holds 53 bits only. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = (middle & 0xffff) + aLow * bHigh;
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(carry / 0x10000)) >>> 0;
}

/** One Philox4x32-10 block: `counter` (4 × u32) under `key` (2 × u32) → `out` (4 × u32). */
export function philox4x32(counter: ArrayLike<number>, key: ArrayLike<number>, out: Uint32Array): void {
  let c0 = counter[0]! >>> 0;
  let c1 = counter[1]! >>> 0;
  let c2 = counter[2]! >>> 0;
  let c3 = counter[3]! >>> 0;
  let k0 = key[0]! >>> 0;
  let k1 = key[1]! >>> 0;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const low0 = Math.imul(MULTIPLIER_0, c0) >>> 0;
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low1 = Math.imul(MULTIPLIER_1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + WEYL_0) >>> 0;
    k1 = (k1 + WEYL_1) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/**
 * Standard normal values, float32 [length]. Value `i` depends on (seed, stream, offset + i) alone, so any split of a
 * range into parts gives the same numbers.
 * @throws input error when seed, stream, offset or length is not a non-negative integer in range.
 */
export function gaussian(draw: Draw): Float32Array {
  return fill(draw, (words, lane) => {
    const pair = lane & 2;
    const radius = Math.sqrt(-2 * Math.log(unit(words[pair]!)));
    const angle = 2 * Math.PI * unit(words[pair + 1]!);
    return radius * (lane & 1 ? Math.sin(angle) : Math.cos(angle));
  });
}

/**
 * Uniform values in [0, 1), float32 [length], indexed like `gaussian`.
 * @throws input error when seed, stream, offset or length is not a non-negative integer in range.
 */
export function uniform(draw: Draw): Float32Array {
  // 24 bits are what a float32 holds below 1: dividing all 32 could round up to 1.
  return fill(draw, (words, lane) => (words[lane]! >>> 8) / 2 ** 24);
}

/** Centre of the u32's bin, in (0, 1): never 0, whose logarithm Box-Muller cannot take. */
const unit = (word: number): number => (word + 0.5) / TWO_32;

function fill(draw: Draw, value: (words: Uint32Array, lane: number) => number): Float32Array {
  const { seed, length, offset = 0, stream = 0 } = draw;
  requireIndex('seed', seed, Number.MAX_SAFE_INTEGER);
  requireIndex('offset', offset, Number.MAX_SAFE_INTEGER);
  requireIndex('length', length, 2 ** 31);
  requireIndex('stream', stream, TWO_32 - 1);
  const key = [seed >>> 0, Math.floor(seed / TWO_32)];
  const words = new Uint32Array(4);
  const values = new Float32Array(length);
  let loaded = -1;
  for (let i = 0; i < length; i++) {
    const block = Math.floor((offset + i) / 4);
    if (block !== loaded) {
      philox4x32([block >>> 0, Math.floor(block / TWO_32), stream, 0], key, words);
      loaded = block;
    }
    values[i] = value(words, (offset + i) % 4);
  }
  return values;
}

function requireIndex(name: string, value: number, most: number): void {
  if (!Number.isSafeInteger(value) || value < 0 || value > most) {
    throw inputError('noise', `${name} must be an integer from 0 to ${most}`, value);
  }
}
