import { expect, it } from 'vitest';
import { add, constant, evaluate, input, mul, substitute } from '../../src/tensor/index.ts';

const vector = (...values: number[]) => constant(Float32Array.from(values), [values.length]);

it('computes the same outputs from another tensor in place of one inside', () => {
  const x = input('x', [2]);
  const inner = add(x, 1);
  const outputs = [mul(inner, 3), add(inner, x)];
  const [tripled, summed] = substitute(outputs, new Map([[inner, vector(10, 20)]])) as [typeof x, typeof x];
  const fed = new Map([['x', { shape: [2], dtype: 'float32' as const, data: Float64Array.of(1, 2) }]]);
  expect([...evaluate([tripled], new Map())[0]!.data]).toEqual([30, 60]);
  expect([...evaluate([summed], fed)[0]!.data]).toEqual([11, 22]);
  expect([...evaluate([outputs[0]!], fed)[0]!.data]).toEqual([6, 9]);
});

it('leaves what does not reach it as it is, and refuses another shape', () => {
  const x = input('x', [2]);
  const outer = mul(x, 2);
  expect(substitute([outer], new Map([[input('y', [3]), vector(1, 2, 3)]]))).toEqual([outer]);
  expect(() => substitute([outer], new Map([[x, vector(1)]]))).toThrow(/must be replaced by float32\[2\], got \[1\]/);
});
