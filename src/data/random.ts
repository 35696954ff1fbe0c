/**
 * Small seeded random numbers for drawing scenes and captions: a pure function of (seed, stream), 32 bits a step.
 * Does not serve model noise, which is counter-based in `diffusion/noise.ts`, and is not for secrets.
 */

/** A stream of uniform numbers. Each call to a method takes the next number of the stream. */
export type Random = {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Uniform in [low, high). */
  between(low: number, high: number): number;
  /** Uniform integer in [0, bound). */
  integer(bound: number): number;
  /** One element of a non-empty list. */
  pick<T>(items: readonly T[]): T;
};

/** Well-mixed 32 bits from 32 bits (the finalizer of MurmurHash3, public domain). */
export function mix32(value: number): number {
  let h = value >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** 32-bit hash of a string's UTF-16 units: the same on every machine and run. */
export function hashText(text: string): number {
  let h = 0x9747b28c;
  for (let i = 0; i < text.length; i++) h = mix32(Math.imul(h, 31) ^ text.charCodeAt(i));
  return h;
}

/** The random stream number `stream` of `seed`: both non-negative integers below 2^53; equal arguments, equal numbers. */
export function randomStream(seed: number, stream = 0): Random {
  const high = mix32(Math.floor(stream / 0x100000000) ^ Math.imul(Math.floor(seed / 0x100000000), 0x9e3779b9));
  const key = mix32(mix32(seed >>> 0) ^ Math.imul(mix32((stream >>> 0) ^ high), 0x85ebca6b));
  let counter = 0;
  const next = (): number => {
    counter = (counter + 0x9e3779b9) >>> 0; // Weyl sequence: full period, so no short cycles
    return mix32(mix32(key ^ counter) + key);
  };
  const uniform = (): number => next() / 0x100000000;
  const integer = (bound: number): number => Math.floor(uniform() * bound);
  return {
    uniform,
    between: (low, high) => low + uniform() * (high - low),
    integer,
    pick: (items) => items[integer(items.length)]!,
  };
}
