/**
 * Statistics of a norm over a frame from those over its tiles. Plain arithmetic; knows neither graphs nor tiles' places.
 */
import { float32, floats, type Value } from '../runtime/value.ts';

/**
 * Means and scales [2, N, groups, 1] of equally large parts, each mean and 1 / sqrt(variance + eps), as those of all parts together:
 * the mean of the means, and the mean of the variances plus the variance of the means.
 */
export function pooledStatistics(parts: readonly Value[]): Value {
  const arrays = parts.map(floats);
  const half = arrays[0]!.length / 2;
  const pooled = new Float32Array(2 * half);
  for (let i = 0; i < half; i++) {
    let [first, second] = [0, 0];
    for (const part of arrays) {
      const mean = part[i]!;
      first += mean / arrays.length;
      second += (part[half + i]! ** -2 + mean ** 2) / arrays.length;
    }
    pooled[i] = first;
    pooled[half + i] = 1 / Math.sqrt(Math.max(second - first ** 2, Number.MIN_VALUE));
  }
  return float32(pooled, parts[0]!.shape);
}
