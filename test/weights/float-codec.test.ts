import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeFloat, encodeFloat } from '../../src/weights/float-codec.ts';

const bytesOf = (array: ArrayBufferView<ArrayBuffer>) =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const all16 = Uint16Array.from({ length: 65536 }, (_, i) => i);

/** The value of a 16-bit float from its definition, in float64 arithmetic. */
function halfValue(pattern: number, exponentBits: number): number {
  const mantissaBits = 15 - exponentBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  const exponent = (pattern >> mantissaBits) & (2 ** exponentBits - 1);
  const fraction = (pattern & (2 ** mantissaBits - 1)) / 2 ** mantissaBits;
  const sign = pattern & 0x8000 ? -1 : 1;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias));
}

/** Nearest pattern by search over all magnitudes, ties to the even pattern; infinity counts as the next power of two. */
function nearestPattern(value: number, exponentBits: number): number {
  const top = (2 ** exponentBits - 1) << (15 - exponentBits);
  const magnitude = (p: number) => (p === top ? 2 ** (2 ** (exponentBits - 1)) : halfValue(p, exponentBits));
  const target = Math.min(Math.abs(value), magnitude(top));
  let low = 0;
  let high = top;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (magnitude(middle) <= target) low = middle;
    else high = middle;
  }
  const below = target - magnitude(low);
  const above = magnitude(high) - target;
  const pattern = below < above || (below === above && low % 2 === 0) ? low : high;
  return pattern | (value < 0 || Object.is(value, -0) ? 0x8000 : 0);
}

describe.each([
  ['F16', 5],
  ['BF16', 8],
] as const)('%s', (dtype, exponentBits) => {
  it('decodes all 65536 patterns exactly, subnormals, infinities and NaN included', () => {
    const decoded = decodeFloat(bytesOf(all16), dtype);
    for (let i = 0; i < 65536; i++)
      if (!Object.is(decoded[i], halfValue(i, exponentBits))) expect.fail(`pattern ${i}: ${decoded[i]}`);
  });

  it('encodes what it decoded to the same pattern', () => {
    const back = new Uint16Array(encodeFloat(decodeFloat(bytesOf(all16), dtype), dtype).buffer);
    for (let i = 0; i < 65536; i++) {
      const nan = Number.isNaN(halfValue(i, exponentBits));
      if (nan ? !Number.isNaN(halfValue(back[i] as number, exponentBits)) : back[i] !== i)
        expect.fail(`pattern ${i}: ${back[i]}`);
    }
  });

  it('rounds any float32 to the nearest, ties to even', () => {
    const check = (value: number) => {
      const single = Float32Array.of(value);
      const [pattern] = new Uint16Array(encodeFloat(single, dtype).buffer);
      expect(pattern).toBe(nearestPattern(single[0] as number, exponentBits));
    };
    // Half-way points and their neighbours, where rounding goes wrong first.
    for (const p of [0, 1, 2, 3, 0x3ff, 0x400, 0x401, 0x3c00, 0x3c01, 0x7bfe, 0x7bff, 0x7f7e, 0x7f7f]) {
      const between = (halfValue(p, exponentBits) + halfValue(p + 1, exponentBits)) / 2;
      if (!Number.isFinite(between)) continue;
      for (const factor of [1, 1 + 2 ** -23, 1 - 2 ** -24]) for (const sign of [1, -1]) check(sign * between * factor);
    }
    for (const value of [
      65504,
      65519.996,
      65520,
      65536,
      3.4028234e38,
      3.3895313e38,
      Infinity,
      -Infinity,
      0,
      -0,
      1e-45,
      2 ** -25,
      2 ** -24,
    ])
      check(value);
    fc.assert(fc.property(fc.float({ noNaN: true }), check), { numRuns: 2000 });
  });

  it('keeps NaN a NaN, also one whose payload lies in the dropped bits', () => {
    const nan = new Float32Array(Uint32Array.of(0x7f800001, 0xff800001, 0x7fc00000, 0x7fffffff).buffer);
    for (const value of decodeFloat(encodeFloat(nan, dtype), dtype)) expect(value).toBeNaN();
  });
});

describe('other types as float32', () => {
  it('upcasts integers and booleans exactly', () => {
    expect([...decodeFloat(bytesOf(Int8Array.of(-128, -1, 0, 127)), 'I8')]).toEqual([-128, -1, 0, 127]);
    expect([...decodeFloat(Uint8Array.of(0, 255), 'U8')]).toEqual([0, 255]);
    expect([...decodeFloat(bytesOf(Int16Array.of(-32768, 32767)), 'I16')]).toEqual([-32768, 32767]);
    expect([...decodeFloat(bytesOf(Int32Array.of(-7, 1 << 24)), 'I32')]).toEqual([-7, 1 << 24]);
    expect([...decodeFloat(bytesOf(BigInt64Array.of(-5n, 1n << 40n)), 'I64')]).toEqual([-5, 2 ** 40]);
    expect([...decodeFloat(Uint8Array.of(0, 1, 2), 'BOOL')]).toEqual([0, 1, 1]);
    expect([...decodeFloat(bytesOf(Float64Array.of(0.1, 1e300)), 'F64')]).toEqual([Math.fround(0.1), Infinity]);
  });

  it('stores float32 only as float types', () => {
    expect(() => encodeFloat(Float32Array.of(1), 'I8')).toThrow(/F64, F32, F16 or BF16/);
    expect([...new Float64Array(encodeFloat(Float32Array.of(0.1), 'F64').buffer)]).toEqual([Math.fround(0.1)]);
  });
});
