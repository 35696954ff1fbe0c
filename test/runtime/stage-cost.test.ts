/** The memory model against graphs small enough to count by hand. */
import { describe, expect, it } from 'vitest';
import { graphCost, type StoredSizes, stageCosts } from '../../src/runtime/stage-cost.ts';
import type { Stage } from '../../src/runtime/stages.ts';
import { float32 } from '../../src/runtime/value.ts';
import { add, attention, gather, input, matmul, parameter, reshape, transposeLast } from '../../src/tensor/index.ts';

const x = input('x', [8, 64]);
const linear = (name: string, y = x) => matmul(y, transposeLast(parameter(name, [64, 64])));
const stored =
  (bytes: number): StoredSizes =>
  (name) => ({
    bytes: (name === 'table' ? 1000 * 64 : 64 * 64) * bytes,
    form: bytes === 4 ? 'plain' : bytes === 2 ? 'widened' : 'quantized',
  });
const value = 8 * 64 * 4;
const decoded = 64 * 64 * 4;

describe('the cost of a graph', () => {
  it('decodes a 16-bit weight for its product and frees it', () => {
    const cost = graphCost({ y: linear('b', linear('a')) }, stored(2));
    expect(cost).toMatchObject({ weights: 2 * 64 * 64 * 2, open: 2 * 64 * 64 * 2, decoded: 2 * 64 * 64 });
    expect(cost.flops).toBe(2 * 2 * 8 * 64 * 64);
    // The second product: its weight, its operand, its result.
    expect(cost.work).toBe(decoded + 2 * value);
  });

  it('packs a 32-bit one beside its file and decodes nothing', () => {
    const cost = graphCost({ y: linear('a') }, stored(4));
    expect(cost).toMatchObject({ weights: decoded, open: 2 * decoded, decoded: 0, work: value });
  });

  it('uses a quantized one as it lies', () => {
    const cost = graphCost({ y: linear('a') }, stored(1));
    expect(cost).toMatchObject({ weights: 64 * 64, open: 64 * 64, decoded: 0, work: value });
  });

  it('takes of a table the rows that are looked up', () => {
    const cost = graphCost({ y: gather(parameter('table', [1000, 64]), input('ids', [8], 'int32')) }, stored(2));
    expect(cost).toMatchObject({ weights: 1000 * 64 * 2, open: 0, decoded: 0, work: value });
  });

  it('overwrites a dying operand, shares memory in reshapes, and holds logits', () => {
    const once = linear('a');
    expect(graphCost({ y: add(once, 1) }, stored(4)).work).toBe(value);
    expect(graphCost({ y: add(once, 1), z: once }, stored(4)).work).toBe(2 * value);
    expect(graphCost({ y: reshape(once, [1, 1, 8, 64]) }, stored(4)).work).toBe(value);
    const q = reshape(x, [1, 1, 8, 64]);
    const attended = attention(q, q, q, { scale: 1, form: 'fused' });
    expect(graphCost({ y: attended }, stored(4)).work).toBe(value + 8 * 8 * 4);
  });
});

it('a stage holds what waits for later ones', () => {
  const stages: Stage[] = [
    { name: 'enter', outputs: { a: linear('a'), b: linear('b') } },
    { name: 'first', outputs: { a: linear('a', input('a', [8, 64])) } },
    { name: 'last', outputs: { y: add(input('a', [8, 64]), input('b', [8, 64])) } },
  ];
  const constants = { table: float32(new Float32Array(5), [5]) };
  const costs = stageCosts({ stages, constants }, 100, stored(4));
  const always = 20 + 100;
  // Each takes its results, and those of earlier stages that it or a later one reads.
  expect(costs.map(({ work }) => work)).toEqual([2 * value + always, 3 * value + always, 3 * value + always]);
});
