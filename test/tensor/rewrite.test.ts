/** Passes over graphs: values stay, invariants hold, equal work is done once; and graphs read as text. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Tensor } from '../../src/tensor/index.ts';
import * as t from '../../src/tensor/index.ts';
import { deviation, feedsOf, spread } from './values.ts';

const leaves = [t.input('x', [2, 3]), t.input('y', [3]), t.parameter('w', [3, 3])];
const values = leaves.map((leaf, i) => spread({ shape: leaf.shape }, i));

/** Random graphs over [2, 3] and broadcastable operands: each number picks an op and its operands among what exists. */
function grow(choices: readonly number[]): Tensor[] {
  const pool: Tensor[] = [leaves[0]!];
  const small = [
    leaves[1]!,
    t.scalar(2),
    t.constant(Float32Array.of(1, 2, 3), [3]),
    t.constant(Float32Array.of(1, 2, 3), [3]),
  ];
  for (const choice of choices) {
    const a = pool[choice % pool.length]!;
    const b = [...pool, ...small][(choice >> 3) % (pool.length + small.length)]!;
    const c = small[1 + ((choice >> 5) % 3)]!;
    const made = [
      () => t.add(a, b),
      () => t.mul(a, t.add(c, 1)),
      () => t.tanh(a),
      () => t.matmul(a, leaves[2]!),
      () => t.add(a, t.mul(t.mul(c, c), 0.5)),
      () => t.sub(a, t.reshape(t.expand(t.scalar(0.5), [2, 3]), [2, 3])),
      () => t.transpose(t.transpose(a, [1, 0]), [1, 0]),
      () => t.concat([t.slice(a, 0, 1, 2), t.slice(a, 0, 0, 1)], 0),
    ][choice % 8]!();
    pool.push(made);
  }
  return [pool.at(-1)!, pool[pool.length >> 1]!, t.sum(pool.at(-1)!)];
}

describe.each([
  ['share', t.share],
  ['fold', t.fold],
  ['optimize', t.optimize],
])('%s', (name, pass) => {
  test('keeps every value and every invariant, and never adds a node', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1023), { minLength: 1, maxLength: 12 }), (choices) => {
        const outputs = grow(choices);
        const gradients = t.grad(outputs[2]!, leaves);
        const before = [...outputs, ...gradients];
        const after = pass(before);
        t.verify(after);
        expect(t.reachable(after).length).toBeLessThanOrEqual(t.reachable(before).length);
        const [expected, got] = [before, after].map((g) => t.evaluate(g, feedsOf(leaves, values)));
        for (const [i, value] of expected!.entries()) {
          expect(got![i]!.shape).toEqual(value.shape);
          // Folded constants are rounded to float32.
          expect(deviation(got![i]!.data, value.data)).toBeLessThan(name === 'share' ? 1e-15 : 1e-6);
        }
        expect(print(pass(after))).toBe(print(after));
      }),
      { numRuns: 40 },
    );
  });
});

const print = (graph: Tensor[]): string => t.print(graph);

test('share: equal nodes become one, different attributes and constants stay apart', () => {
  const x = t.input('x', [4]);
  const outputs = [
    t.sum(t.mul(x, 2)),
    t.sum(t.mul(t.input('x', [4]), 2)),
    t.sum(t.mul(x, -0)),
    t.sum(t.mul(x, 0)),
    t.sum(x, [0], true),
  ];
  const shared = t.share(outputs);
  expect(shared[0]).toBe(shared[1]);
  expect(new Set(shared).size).toBe(4);
});

test('share: large constants are one where they are one array', () => {
  const data = new Float32Array(1000);
  const [a, b, c] = t.share([t.constant(data, [1000]), t.constant(data, [1000]), t.constant(data.slice(), [1000])]);
  expect(a).toBe(b);
  expect(c).not.toBe(a);
});

test('fold: computes what needs no input, leaves what is large, whole or fed', () => {
  const small = t.add(t.mul(t.constant(Float32Array.of(1, 2), [2]), 3), 1);
  const large = t.expand(t.scalar(1), [100, 100]);
  const kept = t.cast(t.greater(t.scalar(2), 1), 'float32');
  const [folded, big, flag] = t.fold([small, large, kept]);
  expect(folded!.op).toBe('Constant');
  expect([...t.constantOf(folded!)]).toEqual([4, 7]);
  expect(big!.op).toBe('Expand');
  expect(flag!.op).toBe('Cast');
});

test('verify: names what is broken', () => {
  const x = t.input('x', [2]);
  const y = t.exp(x);
  expect(() => t.verify([{ ...y, shape: [3] }])).toThrow('internal: verify: Exp must be float32[2], got float32[3]');
  expect(() => t.verify([{ ...y, id: x.id }])).toThrow(/verify: inputs of Exp \d+ must precede it/);
  expect(() => t.verify([t.add(x, t.input('x', [1]))])).toThrow('verify: a name must stand for one leaf, got x');
  expect(() => t.verify([t.add(x, t.parameter('x', [2]))])).toThrow('verify: a name must stand for one leaf, got x');
  const broken = { ...t.constant(Float32Array.of(1), [1]), shape: [2] };
  expect(() => t.verify([broken])).toThrow('verify: a constant must fill its shape, got [2]');
});

test('print: one readable line a node', () => {
  const [x, w] = [t.input('x', [2, 4]), t.parameter('layer.weight', [3, 4])];
  const y = t.softmax(t.add(t.matmul(x, t.transposeLast(w)), t.constant(Float32Array.of(1, 2, 3), [3])));
  expect(t.print([t.sum(t.slice(y, 1, 0, 2)), x])).toMatchInlineSnapshot(`
    "%0 = Input(x) float32[2, 4]
    %1 = Parameter(layer.weight) float32[3, 4]
    %2 = Transpose(%1, order=[1,0]) float32[4, 3]
    %3 = MatMul(%0, %2) float32[2, 3]
    %4 = Constant(1, 2, 3) float32[3]
    %5 = Add(%3, %4) float32[2, 3]
    %6 = Softmax(%5, axis=1) float32[2, 3]
    %7 = Slice(%6, axis=1, start=0, end=2, step=1) float32[2, 2]
    %8 = ReduceSum(%7, axes=[0,1], keep=false) float32[]
    return %8, %0"
  `);
});
