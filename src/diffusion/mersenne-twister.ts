/**
 * MT19937, the 32-bit generator behind PyTorch's CPU numbers: a seed in, unsigned 32-bit words out, in order.
 * Knows no distribution.
 *
 * Source: Matsumoto and Nishimura 1998, with the initialisation of 2002.
 */
const SIZE = 624;
const MIDDLE = 397;
const TWO_32 = 2 ** 32;

/** Words of `seed`, of which the generator takes the lower 32 bits, as PyTorch does. */
export function mersenneTwister(seed: number): () => number {
  const state = new Uint32Array(SIZE);
  state[0] = seed % TWO_32;
  for (let i = 1; i < SIZE; i++) {
    const before = state[i - 1]!;
    state[i] = Math.imul(before ^ (before >>> 30), 1812433253) + i;
  }
  let at = SIZE;
  return () => {
    if (at === SIZE) {
      advance(state);
      at = 0;
    }
    let word = state[at++]!;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    word ^= word >>> 18;
    return word >>> 0;
  };
}

function advance(state: Uint32Array): void {
  for (let i = 0; i < SIZE; i++) {
    const joined = (state[i]! & 0x80000000) | (state[(i + 1) % SIZE]! & 0x7fffffff);
    state[i] = state[(i + MIDDLE) % SIZE]! ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0);
  }
}
