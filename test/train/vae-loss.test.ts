/** The VAE's losses against closed forms. */
import { expect, test } from 'vitest';
import { evaluate, input, ndarray } from '../../src/tensor/index.ts';
import { gradientL1, multiscaleL1, temporalL1 } from '../../src/train/vae-loss.ts';
import { feedsOf } from '../tensor/values.ts';

const shape = [1, 3, 3, 4, 4];
const [made, real] = [input('made', shape), input('real', shape)];
/** Frame t of `made` is the given value everywhere; `real` is 0. */
const loss = (of: typeof temporalL1, value: (t: number, y: number, x: number) => number): number => {
  const data = Float64Array.from({ length: 144 }, (_, i) => value(Math.floor(i / 48), Math.floor(i / 4) % 4, i % 4));
  const zeros = ndarray(shape, 'float32', new Float64Array(144));
  return evaluate([of(made, real)], feedsOf([made, real], [ndarray(shape, 'float32', data), zeros]))[0]!.data[0]!;
};

test('an error that stays costs nothing in time, one that flickers costs its steps', () => {
  expect(loss(temporalL1, () => 0.7)).toBe(0);
  expect(loss(temporalL1, (t) => [0, 0.5, 0.2][t]!)).toBeCloseTo((0.5 + 0.3) / 2, 12);
});

test('a still has no neighbours in time', () => {
  const [a, b] = [input('a', [2, 1, 3, 4, 4]), input('b', [2, 1, 3, 4, 4])];
  const ones = ndarray([2, 1, 3, 4, 4], 'float32', new Float64Array(96).fill(1));
  const zeros = ndarray([2, 1, 3, 4, 4], 'float32', new Float64Array(96));
  expect(evaluate([temporalL1(a, b)], feedsOf([a, b], [ones, zeros]))[0]!.data[0]).toBe(0);
});

test('an even error costs nothing at edges, a ramp its slope', () => {
  expect(loss(gradientL1, () => 0.7)).toBe(0);
  expect(loss(gradientL1, (_, y, x) => 0.1 * x + 0.03 * y)).toBeCloseTo(0.13, 12);
});

test('sizes are weighed: a checkerboard vanishes at half size', () => {
  const board = (_: number, y: number, x: number): number => ((x + y) % 2 === 0 ? 1 : -1);
  expect(loss((a, b) => multiscaleL1(a, b, [1, 10]), board)).toBeCloseTo(1, 12);
  expect(
    loss(
      (a, b) => multiscaleL1(a, b, [0, 10]),
      () => 0.5,
    ),
  ).toBeCloseTo(5, 12);
});
