/** Gradients of whole graphs: reuse, unreached targets, seeds, and that they train. */
import { expect, test } from 'vitest';
import * as t from '../../src/tensor/index.ts';
import { type NDArray, ndarray, type Tensor } from '../../src/tensor/index.ts';
import { deviation, feedsOf, generator, spread } from './values.ts';

test('a target that nothing reaches gets zeros of its shape; one reached twice gets the sum', () => {
  const [x, other] = [t.input('x', [3]), t.input('other', [2, 2])];
  const loss = t.sum(t.add(t.mul(x, 3), t.square(x)));
  const gradients = t.grad(loss, [other, x]);
  t.verify(gradients);
  const values = [spread({ shape: [3] }, 0), spread({ shape: [2, 2] }, 1)];
  const [zero, dx] = t.evaluate(gradients, feedsOf([x, other], values));
  expect(zero!.shape).toEqual([2, 2]);
  expect([...zero!.data]).toEqual([0, 0, 0, 0]);
  expect(
    deviation(
      dx!.data,
      values[0]!.data.map((v) => 3 + 2 * v),
    ),
  ).toBeLessThan(1e-15);
});

test('a loss must be a scalar', () => {
  const x = t.input('x', [1]);
  expect(() => t.grad(x, [x])).toThrow('internal: grad: the loss must be a scalar, got [1]');
});

test('targets may be inner nodes and the outputs themselves; seeds add up', () => {
  const x = t.input('x', [2]);
  const h = t.mul(x, 2);
  const y = t.square(h);
  const [dx, dh, dy] = t.vjp(
    [
      { output: y, gradient: t.scalar(1) },
      { output: h, gradient: t.scalar(10) },
    ],
    [x, h, y],
  );
  const feeds = feedsOf([x], [ndarray([2], 'float32', Float64Array.of(3, 5))]);
  const values = t.evaluate([dx!, dh!, dy!], feeds).map((v) => [...v.data]);
  expect(values).toEqual([[44, 60], [22, 30], [1]]);
});

test('gradients differentiate again', () => {
  const x = t.input('x', []);
  const first = t.grad(t.mul(t.square(x), t.tanh(x)), [x])[0]!;
  const second = t.grad(first, [x])[0]!;
  const at = (node: Tensor, v: number): number =>
    t.evaluate([node], feedsOf([x], [ndarray([], 'float32', Float64Array.of(v))]))[0]!.data[0]!;
  expect(at(second, 0.7)).toBeCloseTo((at(first, 0.7 + 1e-5) - at(first, 0.7 - 1e-5)) / 2e-5, 6);
});

test('layer norm and its statistics are one ONNX node in forward and backward', async () => {
  const { toOnnx } = await import('../../src/onnx/model.ts');
  const [x, s, b] = [t.input('x', [4, 8]), t.input('s', [8]), t.input('b', [8])];
  const y = t.layerNorm(x, s, b, 1e-5);
  const gradients = t.grad(t.sum(t.square(y)), [x, s, b]);
  const graph = t.optimize([y, ...gradients]);
  const { nodes } = toOnnx(Object.fromEntries(graph.map((g, i) => [`o${i}`, g])));
  const norms = [...nodes].filter(([, made]) => made.some((n) => n.op.startsWith('LayerNormalization')));
  expect(norms).toHaveLength(1);
  expect(norms[0]![1].map((n) => n.op).sort()).toEqual([
    'LayerNormalization',
    'LayerNormalizationInvStdDev',
    'LayerNormalizationMean',
  ]);
});

test('the fused attention equals the primitive form', () => {
  const q = t.input('q', [2, 2, 5, 4]);
  const [k, v] = [t.input('k', [2, 2, 7, 4]), t.input('v', [2, 2, 7, 4])];
  const bias = t.input('bias', [2, 1, 1, 7]);
  const [fused, primitive] = (['fused', 'primitive'] as const).map((form) =>
    t.attention(q, k, v, { scale: 0.5, bias, form }),
  );
  const leaves = [q, k, v, bias];
  const [a, b] = t.evaluate(
    [fused!, primitive!],
    feedsOf(
      leaves,
      leaves.map((x, i) => spread({ shape: x.shape }, i)),
    ),
  );
  expect(deviation(a!.data, b!.data)).toBeLessThan(1e-14);
});

test('descent along the gradient trains a small network', () => {
  const [x, label] = [t.input('x', [16, 2]), t.input('label', [16, 1])];
  const parameters = [
    t.parameter('w1', [2, 8]),
    t.parameter('b1', [8]),
    t.parameter('w2', [8, 1]),
    t.parameter('b2', [1]),
  ];
  const [w1, b1, w2, b2] = parameters as [Tensor, Tensor, Tensor, Tensor];
  const hidden = t.tanh(t.add(t.matmul(x, w1), b1));
  const loss = t.mean(t.square(t.sub(t.add(t.matmul(hidden, w2), b2), label)));
  const updated = t.grad(loss, parameters).map((g, i) => t.sub(parameters[i]!, t.mul(g, 0.3)));
  const random = generator(3);
  const points = Float64Array.from({ length: 32 }, () => random() * 2 - 1);
  const product = Float64Array.from({ length: 16 }, (_, i) => points[2 * i]! * points[2 * i + 1]!);
  let weights: NDArray[] = parameters.map((p) => {
    const data = Float64Array.from({ length: t.sizeOf(p.shape) }, () => random() * 2 - 1);
    return ndarray(p.shape, 'float32', data);
  });
  const losses: number[] = [];
  const graph = t.optimize([loss, ...updated]);
  for (let step = 0; step < 150; step++) {
    const feeds = feedsOf(
      [x, label, ...parameters],
      [ndarray([16, 2], 'float32', points), ndarray([16, 1], 'float32', product), ...weights],
    );
    const [value, ...next] = t.evaluate(graph, feeds);
    losses.push(value!.data[0]!);
    weights = next;
  }
  expect(losses.at(-1)!).toBeLessThan(0.15 * losses[0]!);
});

test('slices of one tensor give back their parts side by side, whatever their order', () => {
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 0, 2],
  ]) {
    const x = t.input('x', [2, 6, 3]);
    const parts = [t.slice(x, 1, 0, 1), t.slice(x, 1, 1, 4), t.slice(x, 1, 4, 6)].map((part, i) =>
      t.sum(t.mul(t.square(part), i + 1)),
    );
    const loss = order.map((i) => parts[i]!).reduce((a, b) => t.add(a, b));
    const [dx] = t.grad(loss, [x]);
    const value = spread({ shape: [2, 6, 3] }, 3);
    const [got] = t.evaluate([dx!], feedsOf([x], [value]));
    const expected = value.data.map((v, i) => 2 * v * [1, 2, 2, 2, 3, 3][Math.floor(i / 3) % 6]!);
    expect(deviation(got!.data, expected)).toBeLessThan(1e-12);
    const ops = t.reachable([dx!]).map((node) => node.op);
    if (order[0] !== 1) expect(ops).not.toContain('Pad');
  }
});

test('overlapping slices add up', () => {
  const x = t.input('x', [5]);
  const loss = t.sum(t.add(t.sum(t.slice(x, 0, 0, 3)), t.sum(t.slice(x, 0, 2, 5))));
  const [dx] = t.grad(loss, [x]);
  const [got] = t.evaluate([dx!], feedsOf([x], [spread({ shape: [5] }, 3)]));
  expect([...got!.data]).toEqual([1, 1, 2, 1, 1]);
});
