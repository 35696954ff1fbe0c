/** Gradients with recomputed activations: the same numbers, from graphs that really compute blocks twice. */
import { describe, expect, test } from 'vitest';
import type { Tensor } from '../../src/tensor/index.ts';
import * as t from '../../src/tensor/index.ts';
import { feedsOf, spread } from './values.ts';

const WIDTH = 4;

/** A chain of `count` blocks with residuals; `side` enters every block, as text and time do. */
function chain(count: number) {
  const x = t.input('x', [3, WIDTH]);
  const raw = t.input('side', [3, WIDTH]);
  const side = t.sigmoid(raw);
  const weights = Array.from({ length: count }, (_, i) => t.parameter(`w${i}`, [WIDTH, WIDTH]));
  const kept: Tensor[] = [side];
  let h = t.mul(x, 0.5);
  for (const w of weights) {
    h = t.add(h, t.mul(t.tanh(t.matmul(t.tanh(h), w)), side));
    kept.push(h);
  }
  return { leaves: [x, raw, ...weights], weights, kept, loss: t.mean(t.square(h)) };
}

const valuesOf = (outputs: readonly Tensor[], leaves: readonly Tensor[]) =>
  t
    .evaluate(
      outputs,
      feedsOf(
        leaves,
        leaves.map((leaf, i) => spread({ shape: leaf.shape }, i)),
      ),
    )
    .map(({ data }) => [...data]);

const count = (outputs: readonly Tensor[], op: string): number =>
  t.reachable(t.optimize(outputs)).filter((node) => node.op === op).length;

describe('recomputed gradients', () => {
  test.each([
    ['every block', (kept: Tensor[]) => kept],
    ['some blocks, out of order and one twice', (kept: Tensor[]) => [kept[3]!, kept[1]!, kept[3]!]],
    ['nothing, so that there is nothing to recompute', () => []],
  ])('are those of the plain pass, keeping %s', (_, choose) => {
    const { leaves, kept, loss } = chain(4);
    const plain = t.grad(loss, leaves);
    const again = t.gradRecomputed(loss, leaves, choose(kept));
    t.verify(again);
    t.verify(t.optimize(again));
    const [expected, got] = [valuesOf(plain, leaves), valuesOf(again, leaves)];
    got.forEach((gradient, i) => {
      gradient.forEach((value, j) => {
        expect(value).toBeCloseTo(expected[i]![j]!, 12);
      });
    });
  });

  test('compute every block but the last twice, which sharing must not undo', () => {
    const { weights, kept, loss } = chain(4);
    const plain = count(t.grad(loss, weights), 'Tanh');
    expect(plain).toBe(8);
    // The last tensor kept is the last block's output; nothing but the loss follows it.
    expect(count(t.gradRecomputed(loss, weights, kept), 'Tanh')).toBe(16);
    expect(count(t.gradRecomputed(loss, weights, kept.slice(0, -1)), 'Tanh')).toBe(14);
  });

  test('reach targets within blocks and at their ends', () => {
    const { leaves, kept, loss } = chain(3);
    const inner = kept[2]!.inputs[0]!;
    const targets = [kept[1]!, kept[3]!, inner, leaves[0]!];
    const [expected, got] = [t.grad(loss, targets), t.gradRecomputed(loss, targets, kept)].map((g) =>
      valuesOf(g, leaves),
    );
    expect(got!.flat().map((v) => v.toFixed(10))).toEqual(expected!.flat().map((v) => v.toFixed(10)));
  });

  test('leave blocks alone that no target needs', () => {
    const { weights, kept, loss } = chain(4);
    expect(count(t.gradRecomputed(loss, [weights[3]!], kept), 'Tanh')).toBe(10);
  });

  test('are zero for what the loss does not reach', () => {
    const { leaves, kept, loss } = chain(1);
    const other = t.input('other', [2]);
    expect(valuesOf(t.gradRecomputed(loss, [other], kept), [...leaves, other])).toEqual([[0, 0]]);
  });

  test('want kept tensors on the way to a scalar loss', () => {
    const { weights, loss, kept } = chain(1);
    expect(() => t.gradRecomputed(loss, weights, [t.tanh(kept[1]!)])).toThrow('a kept tensor must lead to the loss');
    expect(() => t.gradRecomputed(kept[1]!, weights, [])).toThrow('the loss must be a scalar');
  });
});
