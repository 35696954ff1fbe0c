/** Every op by itself: its shape rule against its reference, its gradient against finite differences in float64. */
import { describe, expect, test } from 'vitest';
import {
  definedOps,
  evaluate,
  input,
  isFloat,
  type NDArray,
  opDefinition,
  type Tensor,
  verify,
  vjp,
} from '../../src/tensor/index.ts';
import { type OpCase, opCases } from './op-cases.ts';
import { deviation, feedsOf, spread } from './values.ts';

const STEP = 1e-4;
const SAMPLES = 64;

function instance(opCase: OpCase): { leaves: Tensor[]; values: NDArray[]; y: Tensor } {
  const leaves = opCase.leaves.map((leaf, i) => input(`x${i}`, leaf.shape, leaf.dtype));
  return { leaves, values: opCase.leaves.map(spread), y: opCase.build(...leaves) };
}

/** Flat indices of up to `SAMPLES` elements, evenly spread; all where there are no more. */
const sampled = (size: number): number[] =>
  Array.from({ length: Math.min(size, SAMPLES) }, (_, i) => Math.floor((i * size) / Math.min(size, SAMPLES)));

type Point = { y: Tensor; leaves: Tensor[]; values: NDArray[]; weights: Float64Array };

/** d(sum of y · weights) / d(sampled elements of leaf `which`), by central differences. */
function differences({ y, leaves, values, weights }: Point, which: number): number[] {
  const leaf = values[which]!;
  const lossAt = (flat: number, by: number): number => {
    const moved = values.map((v, i) => (i === which ? { ...v, data: v.data.slice() } : v));
    moved[which]!.data[flat]! += by;
    return evaluate([y], feedsOf(leaves, moved))[0]!.data.reduce((sum, v, i) => sum + v * weights[i]!, 0);
  };
  return sampled(leaf.data.length).map((flat) => (lossAt(flat, STEP) - lossAt(flat, -STEP)) / (2 * STEP));
}

test('every op has a case', () => {
  const tested = new Set(opCases.map((c) => c.op));
  expect(
    definedOps()
      .map((d) => d.name)
      .filter((name) => !tested.has(name)),
  ).toEqual([]);
});

describe.each(opCases)('$title', (opCase) => {
  const { leaves, values, y } = instance(opCase);
  const [value] = evaluate([y], feedsOf(leaves, values));

  test('has the shape and dtype that its rule says', () => {
    verify([y]);
    expect(value!.shape).toEqual(y.shape);
    expect(value!.dtype).toBe(y.dtype);
    expect(value!.data).toHaveLength(y.shape.reduce((n, d) => n * d, 1));
    expect(value!.data.every(Number.isFinite)).toBe(true);
  });

  const floats = leaves.flatMap((leaf, i) => (isFloat(leaf.dtype) ? [i] : []));
  const differentiable = opDefinition(opCase.op).gradient !== undefined && opCase.title.includes('fused') === false;
  if (floats.length > 0 && differentiable)
    test('has the gradient that finite differences have', () => {
      const seed = input('seed', y.shape);
      const weights = spread({ shape: y.shape, range: [0.4, 1.7] }, 99);
      const gradients = vjp([{ output: y, gradient: seed }], leaves);
      verify(gradients);
      const feeds = feedsOf([...leaves, seed], [...values, weights]);
      const results = evaluate(gradients, feeds);
      for (const which of floats) {
        expect(gradients[which]!.shape).toEqual(leaves[which]!.shape);
        const got = sampled(results[which]!.data.length).map((flat) => results[which]!.data[flat]!);
        const expected = opCase.constant
          ? got.map(() => 0)
          : differences({ y, leaves, values, weights: weights.data }, which);
        expect(deviation(got, expected), `leaf ${which}`).toBeLessThan(1e-6);
      }
    });
});

test('an op without a gradient says so by name', () => {
  const q = input('q', [1, 1, 2, 3]);
  const y = opCases.find((c) => c.op === 'Attention')!;
  const leaves = y.leaves.map((leaf, i) => input(`x${i}`, leaf.shape));
  expect(() => vjp([{ output: y.build(...leaves), gradient: input('s', [2, 3, 4, 5]) }], [leaves[0]!, q])).toThrow(
    'internal: grad: every op on the path must be differentiable, got Attention',
  );
});
