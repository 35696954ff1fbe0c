/** Philox against its authors' known answers; the normal values as a pure function of (seed, stream, index). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gaussian, philox4x32, uniform } from '../../src/diffusion/noise.ts';

const seed = fc.nat({ max: Number.MAX_SAFE_INTEGER });

describe('philox4x32', () => {
  // kat_vectors of the Random123 distribution, "philox4x32 10"
  it.each([
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])('counter %j', (counter, key, expected) => {
    const out = new Uint32Array(4);
    philox4x32(counter, key, out);
    expect([...out]).toEqual(expected);
  });
});

describe.each([
  ['gaussian', gaussian],
  ['uniform', uniform],
])('%s', (_, draw) => {
  it('gives the same values however a range is cut', () => {
    fc.assert(
      fc.property(seed, fc.nat(1e12), fc.nat(40), fc.nat(40), fc.nat(2 ** 32 - 1), (s, offset, a, b, stream) => {
        const whole = draw({ seed: s, stream, offset, length: a + b });
        const left = draw({ seed: s, stream, offset, length: a });
        const right = draw({ seed: s, stream, offset: offset + a, length: b });
        expect([...left, ...right]).toEqual([...whole]);
      }),
    );
  });

  it('gives other values for another seed or stream, also beyond 32 bits', () => {
    const values = [
      draw({ seed: 1, length: 8 }),
      draw({ seed: 2, length: 8 }),
      draw({ seed: 1 + 2 ** 32, length: 8 }),
      draw({ seed: 1, stream: 1, length: 8 }),
      draw({ seed: 1, offset: 2 ** 34, length: 8 }),
    ];
    expect(new Set(values.map(String)).size).toBe(values.length);
  });

  it.each([
    { seed: -1, length: 1 },
    { seed: 1.5, length: 1 },
    { seed: Number.NaN, length: 1 },
    { seed: 2 ** 53, length: 1 },
    { seed: 0, length: -1 },
    { seed: 0, length: 1, stream: 2 ** 32 },
    { seed: 0, length: 1, offset: -4 },
  ])('refuses %j', (bad) => {
    expect(() => draw(bad)).toThrow(/must be an integer from 0/);
  });
});

describe('gaussian', () => {
  it('has the moments of a standard normal variable', () => {
    const n = 200_000;
    const x = gaussian({ seed: 7, length: n });
    const moment = (k: number): number => x.reduce((sum, v) => sum + v ** k, 0) / n;
    // four standard errors of each sample moment
    expect(Math.abs(moment(1))).toBeLessThan(4 / Math.sqrt(n));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
    expect(Math.abs(moment(3))).toBeLessThan(4 * Math.sqrt(15 / n));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(4 * Math.sqrt(96 / n));
    let neighbours = 0;
    for (let i = 1; i < n; i++) neighbours += x[i]! * x[i - 1]!;
    expect(Math.abs(neighbours / n)).toBeLessThan(4 / Math.sqrt(n));
  });

  it('stays what it was: saved seeds keep their videos', () => {
    expect([...gaussian({ seed: 1234, length: 4 })]).toEqual(RECORDED);
  });
});

describe('uniform', () => {
  it('stays in [0, 1) with the mean and variance of a flat density', () => {
    const n = 100_000;
    const x = uniform({ seed: 3, length: n });
    const mean = x.reduce((a, b) => a + b, 0) / n;
    const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / n;
    expect(Math.min(...x.subarray(0, 50_000))).toBeGreaterThanOrEqual(0);
    expect(x.every((v) => v < 1)).toBe(true);
    expect(Math.abs(mean - 0.5)).toBeLessThan(4 / Math.sqrt(12 * n));
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(4 / Math.sqrt(180 * n));
  });
});

/** First values of seed 1234, written down when the generator was made. */
const RECORDED = [1.2291553020477295, -1.6164904832839966, 0.4646211266517639, -1.5605405569076538];
