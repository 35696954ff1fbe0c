/** PyTorch's CPU numbers: recorded draws bit by bit, the arithmetic under them, and what depends on a C library's last bit. */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { fusedMultiplyAdd, logFloat32, sineAndCosineFloat32 } from '../../src/diffusion/float32-math.ts';
import { initialNoise } from '../../src/diffusion/initial-noise.ts';
import { mersenneTwister } from '../../src/diffusion/mersenne-twister.ts';
import { gaussian } from '../../src/diffusion/noise.ts';
import { bfloat16, torchGenerator } from '../../src/diffusion/torch-noise.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';

const recorded = new URL('../golden/parity/', import.meta.url).pathname;
const bits = (values: Float32Array): Uint32Array => new Uint32Array(values.buffer, values.byteOffset, values.length);

async function tensor(file: string, name: string): Promise<Float32Array> {
  const source = await openSafetensors(`${recorded}${file}.safetensors`);
  try {
    return await source.readFloat32(source.tensors.get(name)!);
  } finally {
    await source.close();
  }
}

describe('mersenneTwister', () => {
  it('gives the words of its authors: the 10000th of seed 5489', () => {
    const word = mersenneTwister(5489);
    for (let i = 1; i < 10000; i++) word();
    expect(word()).toBe(4123659995);
  });

  it('takes the lower 32 bits of a seed', () => {
    expect(mersenneTwister(7 + 2 ** 32)()).toBe(mersenneTwister(7)());
  });
});

describe('fusedMultiplyAdd', () => {
  const scale = 2n ** 300n;
  /** The float32 `x` as a whole number of 2^-300. */
  const exact = (x: number): bigint => {
    let [value, shift] = [x, 0n];
    while (!Number.isInteger(value)) {
      value *= 2;
      shift++;
    }
    return (BigInt(value) * scale) >> shift;
  };
  const float = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }).map((x) =>
    // Far from what underflows, so that every product is exact at the scale above.
    Math.abs(x) < 1e-12 ? 0 : x,
  );

  it('is the float32 nearest to the exact result, even at ties', () => {
    const check = (a: number, b: number, c: number): void => {
      const wanted = (exact(a) * exact(b)) / scale + exact(c);
      const got = fusedMultiplyAdd(a, b, c);
      expect(Math.fround(got)).toBe(got);
      const bits = new Int32Array(Float32Array.of(got).buffer)[0]!;
      const at = (offset: number): number => new Float32Array(Int32Array.of(bits + offset).buffer)[0]!;
      const distance = (x: number): bigint => (exact(x) > wanted ? exact(x) - wanted : wanted - exact(x));
      if (got === 0) expect(wanted).toBe(0n);
      for (const neighbour of got === 0 ? [] : [at(1), at(-1)]) {
        expect(distance(got) <= distance(neighbour)).toBe(true);
        if (distance(got) === distance(neighbour)) expect(bits & 1).toBe(0);
      }
    };
    fc.assert(fc.property(float, float, float, check), { numRuns: 2000 });
    // Sums that nearly cancel, and products just beside the middle of two floats, where rounding twice goes wrong.
    fc.assert(
      fc.property(float, float, fc.integer({ min: -3, max: 3 }), (a, b, n) =>
        check(a, b, -Math.fround(a * b) * (1 + n * 2 ** -23)),
      ),
    );
    check(1 + 2 ** -12, 1 + 2 ** -12, 2 ** -60);
    check(1 + 2 ** -12, 1 + 2 ** -12, -(2 ** -60));
  });
});

describe('logFloat32 and sineAndCosineFloat32', () => {
  it('stay within the error of float32 polynomials on the arguments of Box-Muller', () => {
    const pair: [number, number] = [0, 0];
    let worst = 0;
    for (let i = 1; i <= 2 ** 24; i += 4099) {
      const unit = i / 2 ** 24;
      worst = Math.max(worst, Math.abs(logFloat32(unit) - Math.log(unit)) / Math.max(1, -Math.log(unit)));
      const angle = Math.fround(2 * Math.PI * unit);
      sineAndCosineFloat32(angle, pair);
      worst = Math.max(worst, Math.abs(pair[0] - Math.sin(angle)), Math.abs(pair[1] - Math.cos(angle)));
    }
    expect(worst).toBeLessThan(1.3e-7);
    expect(logFloat32(1)).toBe(0);
  });
});

describe('torchGenerator', () => {
  it('draws the recorded values, bit for bit', async () => {
    const cases: [string, (seed: number, length: number) => Float32Array][] = [
      ['5', (seed, n) => torchGenerator(seed).randn(n)],
      ['15', (seed, n) => torchGenerator(seed).randn(n)],
      ['16', (seed, n) => torchGenerator(seed).randn(n)],
      ['17', (seed, n) => torchGenerator(seed).randn(n)],
      ['1000', (seed, n) => torchGenerator(seed).randn(n)],
      ['rand_20', (seed, n) => torchGenerator(seed).rand(n)],
      ['bf16_3x4x8x6', (seed, n) => torchGenerator(seed).randnBfloat16(n)],
    ];
    for (const seed of [0, 1, 42, 123456789012345])
      for (const [name, draw] of cases) {
        const wanted = await tensor('rng_torch_cpu', `seed${seed}_${name}`);
        expect(bits(draw(seed, wanted.length)), `seed ${seed} ${name}`).toEqual(bits(wanted));
      }
  });

  it('gives the noise of the recorded run, which is that of its seed as bfloat16', async () => {
    const noise = await tensor('pipeline', 'noise');
    expect(torchGenerator(1005).randn(noise.length).map(bfloat16)).toEqual(noise);
  });

  it('goes on where it stopped, and keeps the second value of a pair for the next single draw', () => {
    const whole = torchGenerator(3);
    const parts = torchGenerator(3);
    const eight = whole.randn(8);
    expect([...parts.randn(3), ...parts.randn(5)]).toEqual([...eight]);
    expect(whole.randn(16)).toEqual(parts.randn(16));
    expect(whole.randn(16)).not.toEqual(torchGenerator(3).randn(16));
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 53])('refuses seed %d', (seed) => {
    expect(() => torchGenerator(seed)).toThrow(/seed must be an integer from 0/);
  });
});

describe('what is left to a C library', () => {
  let closest: number;
  /** How near `value` lies to the middle of two bfloat16 values, in float32 steps. */
  const stepsFromMiddle = (value: number): number => {
    const step = 2 ** (Math.floor(Math.log2(Math.abs(value))) - 23);
    return Math.abs(((Math.abs(value) / step) % 2 ** 16) - 2 ** 15);
  };
  beforeAll(() => {
    closest = Number.POSITIVE_INFINITY;
    for (let k = 0; k < 256; k++) {
      const angle = bfloat16((2 * Math.PI * k) / 256);
      const results = [k === 0 ? 1 : Math.cos(angle), k === 0 ? 0 : Math.sin(angle), Math.log(1 - k / 256)];
      for (const value of results) if (value !== 0) closest = Math.min(closest, stepsFromMiddle(value));
    }
  });

  it('no bfloat16 value depends on: all 256 logarithms, sines and cosines round safely', () => {
    // A library's float32 logarithm, sine or cosine is off by a step or two at most.
    expect(closest).toBeGreaterThan(8);
  });
});

describe('initialNoise', () => {
  it('is the generator of its name', () => {
    const at = { seed: 42, length: 64 };
    expect(initialNoise('counter', at)).toEqual(gaussian(at));
    expect(initialNoise('torch', at)).toEqual(torchGenerator(42).randn(64));
    expect(initialNoise('torch-bf16', at)).toEqual(torchGenerator(42).randnBfloat16(64));
  });
});
