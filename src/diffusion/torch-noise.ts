/**
 * The numbers of PyTorch's CPU generator, bit for bit: `torch.manual_seed(seed)`, then `torch.rand` and `torch.randn` in
 * float32 and bfloat16. A generator has a state, so the order of draws matters, as it does there.
 * Does not know what the numbers are for, nor the generator of CUDA, whose layout differs.
 *
 * Of a draw of 16 values or more, blocks of 16 uniform values become normal ones in place, the first eight with the last
 * eight; a tail that does not fill a block is drawn again with the values before it. Fewer are made in float64 one by one.
 */
import { inputError } from '../errors.ts';
import { logFloat32, sineAndCosineFloat32 } from './float32-math.ts';
import { mersenneTwister } from './mersenne-twister.ts';

export interface TorchGenerator {
  /** Uniform values in [0, 1), float32 [length]: `torch.rand(length)`. */
  rand(length: number): Float32Array;
  /** Standard normal values, float32 [length]: `torch.randn(length)`. */
  randn(length: number): Float32Array;
  /** Standard normal values, each a bfloat16, as float32 [length]: `torch.randn(length, dtype=torch.bfloat16)`. */
  randnBfloat16(length: number): Float32Array;
}

const BLOCK = 16;
const HALF = BLOCK / 2;
const round = Math.fround;
const TWO_PI = round(2 * Math.PI);

/**
 * A generator in the state after `torch.manual_seed(seed)`.
 * @throws input error when seed is not an integer in [0, 2^53).
 */
export function torchGenerator(seed: number): TorchGenerator {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw inputError('noise', `seed must be an integer from 0 to ${Number.MAX_SAFE_INTEGER}`, seed);
  const word = mersenneTwister(seed);
  const bits24 = (): number => (word() & 0xffffff) / 2 ** 24;
  const bits8 = (): number => (word() & 0xff) / 2 ** 8;
  const bits53 = (): number => {
    const high = word() & 0x1fffff;
    return (high * 2 ** 32 + word()) / 2 ** 53;
  };
  let second: number | undefined;
  const one = (): number => {
    if (second !== undefined) {
      const kept = second;
      second = undefined;
      return kept;
    }
    const angle = 2 * Math.PI * bits53();
    const radius = Math.sqrt(-2 * Math.log1p(-bits53()));
    second = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  const normal = (length: number, uniform: () => number, transform: Transform, rounded: (x: number) => number) =>
    length < BLOCK ? Float32Array.from({ length }, () => rounded(one())) : blocks(length, uniform, transform);
  return {
    rand: (length) => Float32Array.from({ length }, bits24),
    randn: (length) => normal(length, bits24, normalBlock, round),
    randnBfloat16: (length) => normal(length, bits8, normalBlockBfloat16, bfloat16),
  };
}

/** Turns 16 uniform values from `start` on into normal ones. */
type Transform = (values: Float32Array, start: number) => void;

function blocks(length: number, uniform: () => number, transform: Transform): Float32Array {
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) values[i] = uniform();
  for (let i = 0; i + BLOCK <= length; i += BLOCK) transform(values, i);
  if (length % BLOCK !== 0) {
    for (let i = length - BLOCK; i < length; i++) values[i] = uniform();
    transform(values, length - BLOCK);
  }
  return values;
}

const pair: [number, number] = [0, 0];

function normalBlock(values: Float32Array, start: number): void {
  for (let i = start; i < start + HALF; i++) {
    const radius = round(Math.sqrt(round(-2 * logFloat32(round(1 - values[i]!)))));
    sineAndCosineFloat32(round(TWO_PI * values[i + HALF]!), pair);
    const [sine, cosine] = pair;
    // The mean of 0 is added there too, which turns -0 into 0.
    values[i] = round(radius * cosine) + 0;
    values[i + HALF] = round(radius * sine) + 0;
  }
}

/** Every intermediate result is a bfloat16; there are only 256 uniform values. */
function normalBlockBfloat16(values: Float32Array, start: number): void {
  for (let i = start; i < start + HALF; i++) {
    const logarithm = bfloat16(Math.log(1 - values[i]!));
    const radius = bfloat16(Math.sqrt(bfloat16(-2 * logarithm)));
    const angle = bfloat16(2 * Math.PI * values[i + HALF]!);
    values[i] = bfloat16(radius * bfloat16(Math.cos(angle))) + 0;
    values[i + HALF] = bfloat16(radius * bfloat16(Math.sin(angle))) + 0;
  }
}

const single = new Float32Array(1);
const singleBits = new Int32Array(single.buffer);

/** Nearest bfloat16 of the nearest float32, ties to even, as a number. */
export function bfloat16(value: number): number {
  single[0] = value;
  const bits = singleBits[0]!;
  singleBits[0] = (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000;
  return single[0]!;
}
