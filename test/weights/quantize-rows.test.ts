/** Arithmetic of quantizing: error bounds, odd blocks, pieces, and that files, graph op and reader mean the same codes. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  evaluate,
  input,
  matmulQuantized,
  ndarray,
  type QuantizedForm,
  quantizedShapes,
} from '../../src/tensor/index.ts';
import { dequantize, firstNotFinite, quantizeInt4, quantizeInt8 } from '../../src/weights/quantize-rows.ts';
import { generator } from '../tensor/values.ts';

const FORMS: readonly QuantizedForm[] = [
  { scheme: 'int8' },
  { scheme: 'int4', block: 16 },
  { scheme: 'int4', block: 64 },
];

function quantize(form: QuantizedForm, weights: Float32Array, columns: number, perCall = Number.POSITIVE_INFINITY) {
  const rows = weights.length / columns;
  if (form.scheme === 'int4') return quantizeInt4(weights, rows, columns, form.block);
  const target = { packed: new Uint8Array(weights.length), scale: new Float32Array(rows), total: rows };
  for (let row = 0; row < rows; row += perCall)
    quantizeInt8(weights.subarray(row * columns, Math.min(rows, row + perCall) * columns), row, columns, target);
  return target;
}

function normal(size: number, seed: number): Float32Array {
  const random = generator(seed);
  return Float32Array.from({ length: size }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    return radius * Math.cos(2 * Math.PI * random());
  });
}

test.each(FORMS)('$scheme $block: no weight is off by more than its step allows', (form) => {
  const float = fc.float({ noNaN: true, min: -1000, max: 1000 });
  const matrix = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 70 })).chain(([rows, columns]) =>
    fc.record({
      columns: fc.constant(columns),
      weights: fc.array(float, { minLength: rows * columns, maxLength: rows * columns }),
    }),
  );
  fc.assert(
    fc.property(matrix, ({ columns, weights: list }) => {
      const weights = Float32Array.from(list);
      const rows = weights.length / columns;
      const { packed, scale } = quantize(form, weights, columns);
      const shapes = quantizedShapes(form, [rows, columns]);
      expect(packed.length).toBe(shapes.packed.reduce((a, b) => a * b, 1));
      expect(scale.length).toBe(shapes.scale.reduce((a, b) => a * b, 1));
      const back = dequantize(form, [rows, columns], packed, scale);
      const width = form.scheme === 'int8' ? columns : form.block;
      for (let row = 0; row < rows; row++)
        for (let from = 0; from < columns; from += width) {
          const at = row * columns;
          const block = weights.subarray(at + from, at + Math.min(from + width, columns));
          const largest = Math.max(...block.map(Math.abs));
          // int8 never clips; int4 may, but then not beyond what its coarsest choice would round.
          const step = form.scheme === 'int8' ? largest / 127 : largest / 8;
          const energy = block.reduce((sum, w, i) => sum + (w - back[at + from + i]!) ** 2, 0);
          const most = form.scheme === 'int8' ? step / 2 : step;
          expect(Math.sqrt(energy / block.length)).toBeLessThanOrEqual(most * 1.001 + 1e-30);
        }
    }),
    { numRuns: 60 },
  );
});

test('errors of a normal distribution are those that 8 and 4 bits should have', () => {
  const columns = 512;
  const weights = normal(64 * columns, 3);
  const error = (form: QuantizedForm): number => {
    const { packed, scale } = quantize(form, weights, columns);
    const back = dequantize(form, [64, columns], packed, scale);
    return Math.sqrt(weights.reduce((sum, w, i) => sum + (w - back[i]!) ** 2, 0) / weights.length);
  };
  const [int8, int4of16, int4of64] = FORMS.map(error) as [number, number, number];
  expect(int8).toBeGreaterThan(0.005);
  expect(int8).toBeLessThan(0.009);
  expect(int4of16).toBeLessThan(0.08);
  expect(int4of64).toBeGreaterThan(int4of16);
  // Rounding alone, without a search for the scale, gives 0.097.
  expect(int4of64).toBeLessThan(0.094);
});

test.each(FORMS)('$scheme $block: the graph op multiplies by what the reader decodes', (form) => {
  const [rows, columns] = [5, 37] as const;
  const { packed, scale } = quantize(form, normal(rows * columns, 9), columns);
  const decoded = dequantize(form, [rows, columns], packed, scale);
  const shapes = quantizedShapes(form, [rows, columns]);
  // One row of ones at a time; 127 steps of 1/127 are what int8 makes of them, exactly.
  const identity = Float64Array.from({ length: columns * columns }, (_, i) => (i % (columns + 1) === 0 ? 1 : 0));
  const y = matmulQuantized(
    input('x', [columns, columns]),
    input('packed', shapes.packed, 'uint8'),
    input('scale', shapes.scale),
    form,
  );
  const feeds = new Map([
    ['x', ndarray([columns, columns], 'float32', identity)],
    ['packed', ndarray(shapes.packed, 'uint8', Float64Array.from(packed))],
    ['scale', ndarray(shapes.scale, 'float32', Float64Array.from(scale))],
  ]);
  const [value] = evaluate([y], feeds);
  for (let k = 0; k < columns; k++)
    for (let row = 0; row < rows; row++)
      expect(value!.data[k * rows + row]).toBeCloseTo(decoded[row * columns + k]!, 6);
});

test('zeros, tiny and huge weights; all rows at once or a few at a time', () => {
  const columns = 70;
  for (const value of [0, 1e-45, -1e-40, 3e38]) {
    const weights = new Float32Array(3 * columns).fill(value);
    for (const form of FORMS) {
      const { packed, scale } = quantize(form, weights, columns);
      const back = dequantize(form, [3, columns], packed, scale);
      expect(back.every((w) => Math.abs(w - value) <= Math.abs(value) * 0.13 + 1e-38)).toBe(true);
    }
  }
  const weights = normal(37 * columns, 4);
  expect(quantize({ scheme: 'int8' }, weights, columns, 5)).toEqual(quantize({ scheme: 'int8' }, weights, columns));
  expect(firstNotFinite(Float32Array.of(1, 2, Number.NaN))).toBe(2);
  expect(firstNotFinite(weights)).toBe(-1);
});
