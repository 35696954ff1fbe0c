import fc from 'fast-check';
import { expect, test } from 'vitest';
import { framesFromDecoded, pixelsToFloat } from '../../src/video/pixels.ts';

/** The same formula by single-precision stores, one operation at a time. */
function oracle(x: number): number {
  const cell = new Float32Array(1);
  cell[0] = Math.min(1, Math.max(-1, x));
  cell[0] = cell[0]! + 1;
  cell[0] = cell[0]! * 127.5;
  return Math.trunc(cell[0]!);
}

const clip = fc
  .record({
    frames: fc.integer({ min: 1, max: 3 }),
    height: fc.integer({ min: 1, max: 4 }),
    width: fc.integer({ min: 1, max: 5 }),
  })
  .chain((shape) => {
    const length = shape.frames * 3 * shape.height * shape.width;
    return fc.record({
      shape: fc.constant(shape),
      x: fc.array(fc.float({ noNaN: true, min: -2, max: 2 }), { minLength: length, maxLength: length }),
    });
  });

test('every element lands at its pixel with the single-precision value', () => {
  fc.assert(
    fc.property(clip, ({ shape, x }) => {
      const { frames, height, width } = shape;
      const out = framesFromDecoded(Float32Array.from(x), shape);
      expect(out.length).toBe(frames);
      for (let t = 0; t < frames; t++)
        for (let c = 0; c < 3; c++)
          for (let y = 0; y < height; y++)
            for (let w = 0; w < width; w++)
              expect(out[t]![(y * width + w) * 3 + c]).toBe(oracle(x[((t * 3 + c) * height + y) * width + w]!));
    }),
  );
});

test('rounds to single precision where that changes the pixel', () => {
  const shape = { frames: 1, height: 1, width: 1 };
  // The largest number below 1 + 1 that single precision cannot tell from 2: double precision would give 254.
  const justBelow = Math.fround(1 - 2 ** -24);
  expect(Math.trunc((justBelow + 1) * 127.5)).toBe(254);
  expect([...framesFromDecoded(Float32Array.of(justBelow, -1, 0), shape)[0]!]).toEqual([255, 0, 127]);
  expect([...framesFromDecoded(Float32Array.of(Infinity, -Infinity, 1), shape)[0]!]).toEqual([255, 0, 255]);
});

test('bytes to floats and back: never up, at most one down, exact at both ends', () => {
  const bytes = Uint8Array.from({ length: 256 * 3 }, (_, i) => i / 3);
  const x = pixelsToFloat([bytes], { height: 16, width: 16 });
  const [back] = framesFromDecoded(x, { frames: 1, height: 16, width: 16 });
  for (let i = 0; i < bytes.length; i++) {
    const lost = bytes[i]! - back![i]!;
    expect(lost === 0 || lost === 1).toBe(true);
  }
  expect([x[0], x[255], back![0], back!.at(-1)]).toEqual([-1, 1, 0, 255]);
  expect(x[51]).toBe(Math.fround(Math.fround(Math.fround(51) / Math.fround(127.5)) - 1));
});

test('pixelsToFloat gives [frames, 3, height, width]', () => {
  const x = pixelsToFloat([Uint8Array.of(0, 255, 0, 0, 0, 255), Uint8Array.of(255, 0, 0, 0, 0, 0)], {
    height: 1,
    width: 2,
  });
  expect([...x]).toEqual([-1, -1, 1, -1, -1, 1, 1, -1, -1, -1, -1, -1]);
});

test('bad input is refused', () => {
  const shape = { frames: 1, height: 1, width: 1 };
  expect(() => framesFromDecoded(Float32Array.of(0, NaN, 0), shape)).toThrow(
    'framesFromDecoded: frame 0 must hold numbers, got NaN',
  );
  expect(() => framesFromDecoded(new Float32Array(4), shape)).toThrow('must hold 1 x 3 x 1 x 1 numbers, got 4');
  expect(() => pixelsToFloat([new Uint8Array(2)], shape)).toThrow('frame 0 must have 1 x 1 x 3 bytes, got 2');
});
