import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../src/data/random.ts';
import { clipFeatures, type FeatureNetwork } from '../../src/eval/feature-network.ts';
import { eigen, featureSums, frechetDistance, type Gaussian } from '../../src/eval/frechet.ts';

const gaussian = (mean: readonly number[], covariance: readonly number[]): Gaussian => ({
  count: 100,
  mean: Float64Array.from(mean),
  covariance: Float64Array.from(covariance),
});

/** A symmetric matrix without negative eigenvalues: B Bᵀ of a random B. */
function covarianceOf(seed: number, width: number): Float64Array {
  const random = randomStream(seed);
  const b = Float64Array.from({ length: width * width }, () => random.between(-1, 1));
  return Float64Array.from({ length: width * width }, (_, at) => {
    let sum = 0;
    for (let k = 0; k < width; k++) sum += b[Math.floor(at / width) * width + k]! * b[(at % width) * width + k]!;
    return sum;
  });
}

describe('frechetDistance', () => {
  it('is (μ₁ - μ₂)² + (σ₁ - σ₂)² in one dimension, and sums over independent ones', () => {
    expect(frechetDistance(gaussian([1], [4]), gaussian([3], [25]))).toBeCloseTo(4 + 9, 10);
    const a = gaussian([1, 0], [4, 0, 0, 1]);
    const b = gaussian([3, 0.5], [25, 0, 0, 9]);
    expect(frechetDistance(a, b)).toBeCloseTo(4 + 9 + 0.25 + 4, 10);
  });

  it('is 0 of a set from itself, symmetric, and only the squared shift between equal shapes', () => {
    fc.assert(
      fc.property(fc.nat(1e6), fc.integer({ min: 1, max: 6 }), (seed, width) => {
        const mean = new Float64Array(width);
        const a = { count: 9, mean, covariance: covarianceOf(seed, width) };
        const b = { count: 9, mean: mean.map(() => 0.5), covariance: covarianceOf(seed + 1, width) };
        expect(frechetDistance(a, a)).toBeCloseTo(0, 6);
        expect(frechetDistance(a, b)).toBeCloseTo(frechetDistance(b, a), 6);
        expect(frechetDistance(a, { ...a, mean: b.mean })).toBeCloseTo(0.25 * width, 6);
      }),
      { numRuns: 40 },
    );
  });

  it('has the closed form of commuting covariances under a rotation', () => {
    const [c, s] = [Math.cos(0.4), Math.sin(0.4)];
    const turned = (p: number, q: number) => [
      ...[c * c * p + s * s * q, c * s * (p - q)],
      ...[c * s * (p - q), s * s * p + c * c * q],
    ];
    const distance = frechetDistance(gaussian([0, 0], turned(9, 1)), gaussian([0, 0], turned(1, 16)));
    expect(distance).toBeCloseTo((3 - 1) ** 2 + (1 - 4) ** 2, 9);
  });

  it('refuses different widths', () => {
    expect(() => frechetDistance(gaussian([0], [1]), gaussian([0, 0], [1, 0, 0, 1]))).toThrow(
      /same width, got \[1, 2\]/,
    );
  });
});

describe('eigen', () => {
  it('takes a matrix apart so that it can be put together again', () => {
    const width = 12;
    const matrix = covarianceOf(7, width);
    const { values, vectors } = eigen(matrix, width);
    for (let i = 0; i < width; i++) {
      for (let j = 0; j < width; j++) {
        let [again, product] = [0, 0];
        for (let k = 0; k < width; k++) {
          again += vectors[i * width + k]! * values[k]! * vectors[j * width + k]!;
          product += vectors[k * width + i]! * vectors[k * width + j]!;
        }
        expect(again).toBeCloseTo(matrix[i * width + j]!, 10);
        expect(product).toBeCloseTo(i === j ? 1 : 0, 10);
      }
    }
  });
});

describe('featureSums', () => {
  it('gives mean and covariance of what was added, in whatever portions', () => {
    const sums = featureSums(2);
    sums.add(Float32Array.from([1, 10, 2, 20]));
    sums.add(Float32Array.from([3, 60]));
    const { count, mean, covariance } = sums.gaussian();
    expect(count).toBe(3);
    expect([...mean]).toEqual([2, 30]);
    expect([...covariance]).toEqual([1, 25, 25, 700]);
  });

  it('refuses broken rows, and too few', () => {
    expect(() => featureSums(2).add(new Float32Array(3))).toThrow(/rows of 2, got 3/);
    expect(() => featureSums(2).gaussian()).toThrow(/at least two vectors .* got 0/);
  });
});

it('features of clips are those of all their frames, and none without a network', async () => {
  const network: FeatureNetwork = {
    name: 'brightness',
    width: 1,
    features: async (pixels, { width, height, frames }) =>
      Float32Array.from({ length: frames }, (_, t) => pixels[t * width * height * 3]!),
  };
  const features = clipFeatures(network);
  const clip = new Uint8Array(2 * 128 * 128 * 3).fill(4, 128 * 128 * 3);
  await features.add(clip);
  await features.add(clip);
  expect(features.gaussian()).toMatchObject({ count: 4, mean: Float64Array.of(2) });
  const nothing = clipFeatures(undefined);
  await nothing.add(clip);
  expect(nothing.gaussian()).toBeUndefined();
});
