/** Losses against closed forms and finite differences, in the float64 of the reference. */
import { describe, expect, it } from 'vitest';
import { featureNetwork } from '../../src/features/network.ts';
import { Scope } from '../../src/nn/scope.ts';
import { floats } from '../../src/runtime/value.ts';
import * as t from '../../src/tensor/index.ts';
import { type NDArray, ndarray, type Tensor } from '../../src/tensor/index.ts';
import { crossEntropy, logSumExp } from '../../src/train/cross-entropy.ts';
import { discriminator, generatorLoss, hingeLoss } from '../../src/train/discriminator.ts';
import { frameChoice } from '../../src/train/frame-choice.ts';
import { initialValues } from '../../src/train/parameters.ts';
import { featureDistance, temporalL1 } from '../../src/train/vae-loss.ts';
import { weightAt } from '../../src/train/vae-terms.ts';
import { spread } from '../tensor/values.ts';

const array = (shape: number[], ...data: number[]): NDArray => ndarray(shape, 'float32', Float64Array.from(data));
const fed = (feeds: Record<string, NDArray>): ReadonlyMap<string, NDArray> => new Map(Object.entries(feeds));
const at = (node: Tensor, feeds: Record<string, NDArray>): number => t.evaluate([node], fed(feeds))[0]!.data[0]!;

/** Largest difference between the gradient by `name` and central differences at some of its places. */
function slopeError(loss: Tensor, leaf: Tensor, name: string, feeds: Record<string, NDArray>): number {
  const [gradient] = t.evaluate(t.grad(loss, [leaf]), fed(feeds));
  const { data, shape } = feeds[name]!;
  const step = 1e-6;
  const places = [0, Math.floor(data.length / 3), data.length - 1];
  return Math.max(
    ...places.map((i) => {
      const moved = (by: number): number =>
        at(loss, { ...feeds, [name]: ndarray(shape, 'float32', data.with(i, data[i]! + by)) });
      return Math.abs((moved(step) - moved(-step)) / (2 * step) - gradient!.data[i]!);
    }),
  );
}

/** Fresh weights of a network as the reference takes them. */
const weightsOf = (scope: Scope): Record<string, NDArray> =>
  Object.fromEntries(
    [...initialValues(scope.specs, 5)].map(([name, value]) => [
      name,
      ndarray(value.shape, 'float32', Float64Array.from(floats(value))),
    ]),
  );

describe('cross-entropy', () => {
  const logits = t.input('logits', [2, 3]);
  const targets = t.input('targets', [2, 3]);
  const feeds = { logits: array([2, 3], 0.3, -1, 2, 1.5, 0.2, -0.4), targets: array([2, 3], 0, 0, 1, 0.5, 0.5, 0) };
  const softmax = (row: number[]): number[] => {
    const powers = row.map(Math.exp);
    return powers.map((p) => p / powers.reduce((a, b) => a + b));
  };

  it('is the mean of -log p of what is there', () => {
    const [first, second] = [softmax([0.3, -1, 2]), softmax([1.5, 0.2, -0.4])];
    const expected = -(Math.log(first[2]!) + 0.5 * Math.log(second[0]!) + 0.5 * Math.log(second[1]!)) / 2;
    expect(at(crossEntropy(logits, targets), feeds)).toBeCloseTo(expected, 12);
  });

  it('has the gradient softmax - target over the rows', () => {
    const [gradient] = t.evaluate(t.grad(crossEntropy(logits, targets), [logits]), fed(feeds));
    const expected = [softmax([0.3, -1, 2]), softmax([1.5, 0.2, -0.4])]
      .flat()
      .map((p, i) => (p - feeds.targets.data[i]!) / 2);
    expected.forEach((value, i) => {
      expect(gradient!.data[i]).toBeCloseTo(value, 12);
    });
  });

  it('does not overflow', () => {
    const x = t.input('x', [1, 2]);
    expect(at(logSumExp(x), { x: array([1, 2], 1000, 1000) })).toBeCloseTo(1000 + Math.log(2), 9);
    expect(at(logSumExp(x), { x: array([1, 2], -1000, -2000) })).toBeCloseTo(-1000, 9);
  });
});

describe('temporal L1', () => {
  const [made, real] = [t.input('made', [1, 3, 1, 1, 2]), t.input('real', [1, 3, 1, 1, 2])];
  it('compares changes from frame to frame', () => {
    const feeds = { made: array([1, 3, 1, 1, 2], 0, 0, 1, 0, 1, 3), real: array([1, 3, 1, 1, 2], 5, 5, 5, 5, 7, 5) };
    // Changes made: (1, 0), (0, 3); real: (0, 0), (2, 0).
    expect(at(temporalL1(made, real), feeds)).toBeCloseTo((1 + 0 + 2 + 3) / 4, 12);
    const shifted = { ...feeds, made: array([1, 3, 1, 1, 2], 9, 1, 9, 1, 11, 1) };
    expect(at(temporalL1(made, real), shifted)).toBe(0);
  });

  it('is nothing for a still', () => {
    const [one, other] = [t.input('one', [2, 1, 1, 1, 1]), t.input('other', [2, 1, 1, 1, 1])];
    const feeds = { one: array([2, 1, 1, 1, 1], 3, 4), other: array([2, 1, 1, 1, 1], -1, 9) };
    expect(at(temporalL1(one, other), feeds)).toBe(0);
  });
});

describe('distance of activations', () => {
  const [a, b] = [t.input('a', [1, 4, 1, 2]), t.input('b', [1, 4, 1, 2])];
  it('is that of directions, and at most 2', () => {
    const feeds = {
      a: array([1, 4, 1, 2], 1e3, 3e3, 0, 0, 0, 0, 0, 0),
      b: array([1, 4, 1, 2], 0, 6e3, 1e3, 0, 0, 0, 0, 0),
    };
    // At one place e1 against e2, at the other the same direction: (2 / sqrt 4 + 0) / 2 places.
    expect(at(featureDistance([a], [b]), feeds)).toBeCloseTo(0.5, 6);
    const opposite = { a: feeds.a, b: array([1, 4, 1, 2], ...feeds.a.data.map((x) => -x)) };
    expect(at(featureDistance([a], [b]), opposite)).toBeLessThanOrEqual(2);
  });

  it('is the mean over levels', () => {
    const feeds = { a: spread({ shape: [1, 4, 1, 2] }, 1), b: spread({ shape: [1, 4, 1, 2] }, 2) };
    const one = at(featureDistance([a], [b]), feeds);
    expect(one).toBeGreaterThan(0.1);
    expect(at(featureDistance([a, a], [b, a]), feeds)).toBeCloseTo(one / 2, 12);
  });

  it('through a feature network has the slope of its pixels', () => {
    const scope = new Scope({ training: true });
    const sizes = { widths: [2, 2, 2, 2, 4], blocks: [0, 0, 0, 0, 1], num_groups: 1, features: 3 };
    const forward = featureNetwork(scope, { sizes, subjects: ['x'] });
    const [x, y] = [t.input('x', [1, 3, 16, 16]), t.input('y', [1, 3, 16, 16])];
    const loss = featureDistance(forward(x).levels, forward(y).levels);
    const pictures = { x: spread({ shape: [1, 3, 16, 16] }, 3), y: spread({ shape: [1, 3, 16, 16] }, 4) };
    const feeds = { ...pictures, ...weightsOf(scope) };
    expect(slopeError(loss, x, 'x', feeds)).toBeLessThan(1e-7);
    expect(at(loss, { ...feeds, y: pictures.x })).toBe(0);
  });
});

describe('hinge losses', () => {
  it('want real above 1 and made below -1', () => {
    const [real, made] = [t.input('real', [3]), t.input('made', [3])];
    const feeds = { real: array([3], 2, 0.5, -1), made: array([3], -3, 0, 1) };
    expect(at(hingeLoss(real, made), feeds)).toBeCloseTo((0 + 0.5 + 2) / 3 + (0 + 1 + 2) / 3, 12);
    expect(at(generatorLoss(made), feeds)).toBeCloseTo(2 / 3, 12);
  });

  it('through the discriminator have the slopes of pixels and of weights', () => {
    const scope = new Scope({ training: true });
    const judge = discriminator(scope.at('d'), [8, 8]);
    const [real, made] = [t.input('real', [1, 6, 8, 8]), t.input('made', [1, 6, 8, 8])];
    expect(judge(real).shape).toEqual([1, 1, 2, 2]);
    const feeds = {
      real: spread({ shape: [1, 6, 8, 8] }, 5),
      made: spread({ shape: [1, 6, 8, 8] }, 6),
      ...weightsOf(scope),
    };
    expect(slopeError(generatorLoss(judge(made)), made, 'made', feeds)).toBeLessThan(1e-7);
    const weight = 'd.levels.1.weight';
    expect(slopeError(hingeLoss(judge(real), judge(made)), scope.tensors.get(weight)!, weight, feeds)).toBeLessThan(
      1e-7,
    );
  });
});

describe('the choice of frames', () => {
  const numbered = (batch: number, frames: number): NDArray =>
    array([batch, frames, 1, 1, 1], ...Array.from({ length: batch * frames }, (_, i) => i));
  function chosen(batch: number, frames: number, step: number): [now: number[], next: number[]] {
    const choice = frameChoice('c', { batch, frames, every: 4 });
    const video = t.input('video', [batch, frames, 1, 1, 1]);
    const ids = Object.entries(choice.feeds(step)).map(([name, v]) => [
      name,
      array([...v.shape], ...(v.data as Int32Array)),
    ]);
    const feeds = { video: numbered(batch, frames), ...Object.fromEntries(ids) };
    const [now, next] = t.evaluate([choice.pick(video), choice.pickNext(video)], fed(feeds));
    return [[...now!.data], [...next!.data]];
  }

  it('takes every fourth of each clip with its successor', () => {
    expect(chosen(2, 17, 1)).toEqual([
      [1, 5, 9, 13, 19, 23, 27, 31],
      [2, 6, 10, 14, 20, 24, 28, 32],
    ]);
  });

  it('has seen all frames but the last after as many steps, and every change', () => {
    const seen = new Set([0, 1, 2, 3].flatMap((step) => chosen(1, 17, step)[0]));
    expect([...seen].sort((x, y) => x - y)).toEqual(Array.from({ length: 16 }, (_, i) => i));
  });

  it('takes a still for its own successor', () => {
    expect(chosen(2, 1, 3)).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });
});

it('the weight of the generator rises from its start over its ramp', () => {
  const config = { weight: 0.8, start: 2, ramp: 4 } as Parameters<typeof weightAt>[0];
  expect([0, 1, 2, 3, 5, 9].map((step) => weightAt(config, step))).toEqual([0, 0, 0.2, 0.4, 0.8, 0.8]);
  expect(weightAt({ ...config, ramp: 0 }, 2)).toBe(0.8);
});
