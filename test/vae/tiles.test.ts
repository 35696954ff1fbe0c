import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addTile, blendWeights, cutTile, mostSpans, type Span, spans } from '../../src/vae/tiles.ts';

/** A side, an overlap that fits it, and as many spans as it can be cut into or fewer. */
const cover = fc
  .record({
    size: fc.integer({ min: 4, max: 300 }),
    overlap: fc.integer({ min: 2, max: 24 }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ size, overlap, share }) => {
    const count = 1 + Math.round(share * (mostSpans(size, overlap) - 1));
    return { size, overlap, count, cover: spans(size, count, overlap) };
  });

describe('spans', () => {
  it('cover every place, with one length, in order, neighbours sharing the overlap and no place in three', () => {
    fc.assert(
      fc.property(cover, ({ size, overlap, count, cover }) => {
        expect(cover).toHaveLength(count);
        expect(cover[0]!.from).toBe(0);
        expect(cover.at(-1)!.to).toBe(size);
        expect(new Set(cover.map(({ from, to }) => to - from)).size).toBe(1);
        for (const [i, span] of cover.slice(1).entries())
          expect(cover[i]!.to - span.from).toBeGreaterThanOrEqual(overlap);
        for (const [i, span] of cover.slice(2).entries()) expect(cover[i]!.to).toBeLessThanOrEqual(span.from);
      }),
    );
  });

  it('get shorter with their number', () => {
    const lengths = [1, 2, 3, 4].map((count) => spans(136, count, 12)[0]!.to);
    expect(lengths).toEqual([136, 74, 54, 43]);
    expect(mostSpans(16, 12)).toBe(2);
    expect(mostSpans(4, 12)).toBe(1);
  });
});

describe('blendWeights', () => {
  it('are not negative and add up to 1 at every place', () => {
    fc.assert(
      fc.property(cover, ({ size, cover }) => {
        const weights = blendWeights(cover, size);
        expect(Math.min(...weights.flatMap((each) => [...each]))).toBeGreaterThanOrEqual(0);
        const total = new Float64Array(size);
        for (const [i, { from }] of cover.entries())
          for (const [at, weight] of weights[i]!.entries()) total[from + at]! += weight;
        expect(Math.max(...total.map((sum) => Math.abs(sum - 1)))).toBeLessThan(1e-6);
      }),
    );
  });

  it('are 1 throughout where one span is the whole', () => {
    expect(blendWeights(spans(5, 1, 12), 5)).toEqual([Float32Array.of(1, 1, 1, 1, 1)]);
  });

  it('give nothing to the edge of a span, where it cannot see far enough', () => {
    const [first, second] = blendWeights(spans(32, 2, 12), 32) as [Float32Array, Float32Array];
    expect([...first.slice(-3)]).toEqual([0, 0, 0]);
    expect([...second.slice(0, 3)]).toEqual([0, 0, 0]);
    expect(second[6]).toBeCloseTo(0.583, 3);
  });
});

it('tiles cut from a picture and blended are the picture, to the bit where there is one', () => {
  fc.assert(
    fc.property(cover, cover, fc.nat(1000), (down, across, seed) => {
      const [height, width] = [down.size % 40 || 4, across.size % 40 || 4];
      const [rows, columns] = [axis(height, down), axis(width, across)];
      const picture = Float32Array.from({ length: 2 * height * width }, (_, i) => Math.sin(seed + i * i));
      const sum = new Float32Array(picture.length);
      for (const [i, row] of rows.cover.entries())
        for (const [j, column] of columns.cover.entries()) {
          const data = cutTile(picture, { height, width }, [row, column]);
          const weights = [rows.weights[i]!, columns.weights[j]!] as const;
          addTile(sum, { height, width }, { data, first: 0, rows: row, columns: column, weights });
        }
      const one = rows.cover.length * columns.cover.length === 1;
      if (one) expect(sum).toEqual(picture);
      else expect(Math.max(...sum.map((value, i) => Math.abs(value - picture[i]!)))).toBeLessThan(1e-5);
    }),
    { numRuns: 40 },
  );
});

function axis(
  size: number,
  { overlap, count }: { overlap: number; count: number },
): { cover: Span[]; weights: Float32Array[] } {
  const cover = spans(size, Math.min(count, mostSpans(size, overlap)), overlap);
  return { cover, weights: blendWeights(cover, size) };
}
