/** Layers against plain loops: what PyTorch's Linear, GroupNorm and causal Conv3d compute from the same weights. */
import { describe, expect, test } from 'vitest';
import { causalConv, repeatFrames } from '../../src/nn/conv.ts';
import { embedding, linear, type Module } from '../../src/nn/linear.ts';
import { groupNorm, layerNorm } from '../../src/nn/norm.ts';
import { Scope } from '../../src/nn/scope.ts';
import { evaluate, input, type NDArray, type Shape, sizeOf, stridesOf, verify } from '../../src/tensor/index.ts';
import { deviation, feedsOf, spread } from '../tensor/values.ts';

/** A layer's result and everything that went in, by name. */
function run(build: (scope: Scope) => Module, shape: Shape, dtype: 'float32' | 'int32' = 'float32') {
  const scope = new Scope();
  const x = input('x', shape, dtype);
  const y = build(scope)(x);
  verify([y]);
  const leaves = [x, ...scope.tensors.values()];
  const values = leaves.map((leaf, i) =>
    spread({ shape: leaf.shape, dtype: leaf.dtype, range: leaf.dtype === 'int32' ? [0, 3] : [-1, 1] }, i),
  );
  const [value] = evaluate([y], feedsOf(leaves, values));
  return {
    y: value!,
    x: values[0]!,
    weights: new Map([...scope.tensors.keys()].map((name, i) => [name, values[i + 1]!])),
  };
}

const at = (array: NDArray, ...index: number[]): number => {
  const strides = stridesOf(array.shape);
  return array.data[index.reduce((sum, v, i) => sum + v * strides[i]!, 0)]!;
};

test('linear: x Wᵀ + b over the last axis, with or without bias', () => {
  for (const bias of [true, false]) {
    const { y, x, weights } = run((s) => linear(s, [4, 3], { bias }), [2, 5, 4]);
    expect([...weights.keys()]).toEqual(bias ? ['weight', 'bias'] : ['weight']);
    const expected = Array.from({ length: sizeOf(y.shape) }, (_, flat) => {
      const [row, o] = [Math.floor(flat / 3), flat % 3];
      let total = bias ? weights.get('bias')!.data[o]! : 0;
      for (let i = 0; i < 4; i++) total += x.data[row * 4 + i]! * at(weights.get('weight')!, o, i);
      return total;
    });
    expect(deviation(y.data, expected)).toBeLessThan(1e-14);
  }
});

test('embedding: rows by id', () => {
  const { y, x, weights } = run((s) => embedding(s, 4, 2), [3, 2], 'int32');
  expect(y.shape).toEqual([3, 2, 2]);
  expect([...y.data]).toEqual(
    [...x.data].flatMap((id) => [at(weights.get('weight')!, id, 0), at(weights.get('weight')!, id, 1)]),
  );
});

test('groupNorm: statistics over a group of channels of one picture; layerNorm without weights', () => {
  const { y, x, weights } = run((s) => groupNorm(s, 6, { groups: 3 }), [2, 6, 2, 2]);
  const expected = [...x.data].map((v, flat) => {
    const group = [...x.data].slice(Math.floor(flat / 8) * 8, Math.floor(flat / 8) * 8 + 8);
    const mean = group.reduce((s, g) => s + g, 0) / 8;
    const variance = group.reduce((s, g) => s + (g - mean) ** 2, 0) / 8;
    const channel = Math.floor(flat / 4) % 6;
    return (
      ((v - mean) / Math.sqrt(variance + 1e-5)) * weights.get('weight')!.data[channel]! +
      weights.get('bias')!.data[channel]!
    );
  });
  expect(deviation(y.data, expected)).toBeLessThan(1e-12);
  const plain = run((s) => layerNorm(s, 4, { eps: 1e-5, affine: false }), [3, 4]);
  expect(plain.weights.size).toBe(0);
  for (let row = 0; row < 3; row++)
    expect(Math.abs(plain.y.data.slice(row * 4, row * 4 + 4).reduce((s, v) => s + v))).toBeLessThan(1e-12);
  expect(() => groupNorm(new Scope(), 6, { groups: 4 })).toThrow(
    'groupNorm: 6 channels must divide into groups, got 4',
  );
});

describe('causalConv: frame t sees t, t - 1 and t - 2, zeros before the first', () => {
  test.each([
    [{ kernel: 3 }, 1],
    [{ kernel: 3 }, 2],
    [{ kernel: 3 }, 4],
    [{ kernel: 3, stride: 2 }, 5],
    [{ kernel: 3, stride: 2 }, 4],
    [{ kernel: 1 }, 3],
    [{ kernel: 1, stride: 2 }, 3],
  ] as const)('%o over %i frames', (options, frames) => {
    const stride = 'stride' in options ? options.stride : 1;
    const { y, x, weights } = run((s) => causalConv(s, [2, 3], options), [2, frames, 2, 4, 4]);
    const k = options.kernel;
    expect(y.shape).toEqual([2, Math.ceil(frames / stride), 3, 4 / stride, 4 / stride]);
    const edge = (k - 1) / 2;
    const expected: number[] = [];
    for (let b = 0; b < 2; b++)
      for (let f = 0; f < y.shape[1]!; f++)
        for (let o = 0; o < 3; o++)
          for (let r = 0; r < y.shape[3]!; r++)
            for (let c = 0; c < y.shape[4]!; c++) {
              let total = weights.get('bias')!.data[o]!;
              for (let i = 0; i < 2; i++)
                for (let u = 0; u < k; u++)
                  for (let v = 0; v < k; v++)
                    for (let w = 0; w < k; w++) {
                      const [frame, row, column] = [
                        f * stride + u - (k - 1),
                        r * stride + v - edge,
                        c * stride + w - edge,
                      ];
                      if (frame < 0 || row < 0 || column < 0 || row > 3 || column > 3) continue;
                      total += at(x, b, frame, i, row, column) * at(weights.get('weight')!, o, i, u, v, w);
                    }
              expected.push(total);
            }
    expect(deviation(y.data, expected)).toBeLessThan(1e-13);
  });
});

test('repeatFrames: every frame twice in a row', () => {
  const { y, x } = run(() => repeatFrames, [2, 3, 1, 1, 2]);
  expect(y.shape).toEqual([2, 6, 1, 1, 2]);
  for (let b = 0; b < 2; b++) for (let f = 0; f < 6; f++) expect(at(y, b, f, 0, 0, 1)).toBe(at(x, b, f >> 1, 0, 0, 1));
});

test('scope: a parameter’s path is its checkpoint name, and is named once', () => {
  const scope = new Scope();
  linear(scope.at('blocks').at(3).at('proj'), [2, 2]);
  expect([...scope.specs.keys()]).toEqual(['blocks.3.proj.weight', 'blocks.3.proj.bias']);
  expect(() => linear(scope.at('blocks').at(3).at('proj'), [2, 2])).toThrow(
    'scope: a parameter is named once, got blocks.3.proj.weight',
  );
});
