/**
 * The Fréchet distance of two sets of features, each taken as a Gaussian:
 *
 *   d² = |μ₁ - μ₂|² + tr(Σ₁ + Σ₂ - 2 (Σ₁^½ Σ₂ Σ₁^½)^½)
 *
 * The roots come from symmetric eigen-decompositions by Jacobi rotations, exact enough for some hundred features.
 * Does not know where features come from.
 */
import { inputError } from '../errors.ts';

/** Mean [width] and covariance [width, width] of `count` vectors. */
export type Gaussian = { readonly count: number; readonly mean: Float64Array; readonly covariance: Float64Array };

/** Adds up features; `gaussian` of what was added so far needs at least two vectors. */
export type FeatureSums = { add(features: Float32Array): void; gaussian(): Gaussian };

/** An empty sum over vectors of `width` features. */
export function featureSums(width: number): FeatureSums {
  const sum = new Float64Array(width);
  const products = new Float64Array(width * width);
  let count = 0;
  return {
    /** Features [n, width] flat. */
    add(features) {
      if (features.length % width !== 0)
        throw inputError('frechet', `features must fill rows of ${width}`, features.length);
      for (let row = 0; row < features.length; row += width) {
        count += 1;
        for (let i = 0; i < width; i++) {
          const value = features[row + i]!;
          sum[i]! += value;
          for (let j = 0; j <= i; j++) products[i * width + j]! += value * features[row + j]!;
        }
      }
    },
    gaussian() {
      if (count < 2) throw inputError('frechet', 'there must be at least two vectors of features', count);
      const mean = sum.map((value) => value / count);
      const covariance = new Float64Array(width * width);
      for (let i = 0; i < width; i++) {
        for (let j = 0; j <= i; j++) {
          const value = (products[i * width + j]! - count * mean[i]! * mean[j]!) / (count - 1);
          covariance[i * width + j] = value;
          covariance[j * width + i] = value;
        }
      }
      return { count, mean, covariance };
    },
  };
}

/** The squared distance d², never below 0, as is usual under this name. @throws input error when widths differ. */
export function frechetDistance(a: Gaussian, b: Gaussian): number {
  const width = a.mean.length;
  if (b.mean.length !== width) throw inputError('frechet', 'both must be of the same width', [width, b.mean.length]);
  const root = squareRoot(a.covariance, width);
  const between = eigen(product(product(root, b.covariance, width), root, width), width);
  let distance = 0;
  for (let i = 0; i < width; i++) {
    distance += (a.mean[i]! - b.mean[i]!) ** 2;
    distance += a.covariance[i * width + i]! + b.covariance[i * width + i]!;
    distance -= 2 * Math.sqrt(Math.max(0, between.values[i]!));
  }
  return Math.max(0, distance);
}

/** The symmetric root of a symmetric matrix without negative eigenvalues; what rounding puts below 0 counts as 0. */
function squareRoot(matrix: Float64Array, width: number): Float64Array {
  const { values, vectors } = eigen(matrix, width);
  const scaled = vectors.map((value, i) => value * Math.sqrt(Math.sqrt(Math.max(0, values[i % width]!))));
  const out = new Float64Array(width * width);
  for (let i = 0; i < width; i++) {
    for (let j = 0; j < width; j++) {
      let sum = 0;
      for (let k = 0; k < width; k++) sum += scaled[i * width + k]! * scaled[j * width + k]!;
      out[i * width + j] = sum;
    }
  }
  return out;
}

function product(a: Float64Array, b: Float64Array, width: number): Float64Array {
  const out = new Float64Array(width * width);
  for (let i = 0; i < width; i++) {
    for (let k = 0; k < width; k++) {
      const factor = a[i * width + k]!;
      for (let j = 0; j < width; j++) out[i * width + j]! += factor * b[k * width + j]!;
    }
  }
  return out;
}

const MOST_SWEEPS = 60;

/** Eigenvalues [width] of a symmetric matrix, and their vectors as columns of [width, width]. */
export function eigen(matrix: Float64Array, width: number): { values: Float64Array; vectors: Float64Array } {
  const a = matrix.slice();
  const vectors = new Float64Array(width * width);
  for (let i = 0; i < width; i++) vectors[i * width + i] = 1;
  const total = a.reduce((sum, value) => sum + value * value, 0);
  for (let sweep = 0; sweep < MOST_SWEEPS; sweep++) {
    let off = 0;
    for (let p = 0; p < width; p++) for (let q = p + 1; q < width; q++) off += a[p * width + q]! ** 2;
    if (off <= 1e-26 * total) break;
    for (let p = 0; p < width; p++) for (let q = p + 1; q < width; q++) rotate(a, vectors, { width, p, q });
  }
  return { values: Float64Array.from({ length: width }, (_, i) => a[i * width + i]!), vectors };
}

/** One Jacobi rotation: makes a[p, q] zero (Golub & Van Loan, 8.5). */
function rotate(
  a: Float64Array,
  vectors: Float64Array,
  { width, p, q }: { width: number; p: number; q: number },
): void {
  const apq = a[p * width + q]!;
  if (apq === 0) return;
  const theta = (a[q * width + q]! - a[p * width + p]!) / (2 * apq);
  const tangent = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const cosine = 1 / Math.sqrt(tangent * tangent + 1);
  const sine = tangent * cosine;
  const turn = (m: Float64Array, i: number, j: number): void => {
    const [x, y] = [m[i]!, m[j]!];
    m[i] = cosine * x - sine * y;
    m[j] = sine * x + cosine * y;
  };
  for (let k = 0; k < width; k++) turn(a, k * width + p, k * width + q);
  for (let k = 0; k < width; k++) turn(a, p * width + k, q * width + k);
  for (let k = 0; k < width; k++) turn(vectors, k * width + p, k * width + q);
}
