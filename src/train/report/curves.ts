/**
 * Points of a curve made fit for drawing: fewer where they are many, smoothed without lag. Knows no run and no chart.
 */

/** Step and value. */
export type Point = readonly [step: number, value: number];

/** At most about `most` points: of each stretch of steps its lowest and highest, in their order. */
export function thinned(points: readonly Point[], most: number): readonly Point[] {
  if (points.length <= most) return points;
  const size = (2 * points.length) / most;
  const kept: Point[] = [];
  for (let start = 0; start < points.length; start += size) {
    const stretch = points.slice(Math.floor(start), Math.floor(start + size));
    if (stretch.length === 0) continue;
    const [low, high] = extremes(stretch);
    kept.push(...(low === high ? [low] : low[0] < high[0] ? [low, high] : [high, low]));
  }
  return kept;
}

function extremes(points: readonly Point[]): [low: Point, high: Point] {
  let [low, high] = [points[0]!, points[0]!];
  for (const point of points) {
    if (point[1] < low[1]) low = point;
    if (point[1] > high[1]) high = point;
  }
  return [low, high];
}

/** Part of a curve's length that is one deviation of the Gaussian that smooths it. */
const WIDTH = 1 / 70;

/**
 * Gaussian means at no more than `most` of the points' steps, first and last among them; `log` averages ratios.
 * Fewer than thirty points are too few to hide any.
 */
export function smoothed(points: readonly Point[], { most = 300, log = false } = {}): readonly Point[] {
  if (points.length < 30) return points;
  const values = points.map(([, value]) => (log ? Math.log(value) : value));
  const deviation = points.length * WIDTH;
  const reach = Math.ceil(3 * deviation);
  const count = Math.min(most, points.length);
  return Array.from({ length: count }, (_, i) => {
    const at = Math.round((i * (points.length - 1)) / (count - 1));
    let [sum, weights] = [0, 0];
    for (let j = Math.max(0, at - reach); j <= Math.min(points.length - 1, at + reach); j++) {
      const weight = Math.exp(-(((j - at) / deviation) ** 2) / 2);
      sum += weight * values[j]!;
      weights += weight;
    }
    const mean = sum / weights;
    return [points[at]![0], log ? Math.exp(mean) : mean] as const;
  });
}

/** The value below which `part` of the points lie. */
export function quantile(points: readonly Point[], part: number): number {
  const sorted = points.map(([, value]) => value).sort((a, b) => a - b);
  return sorted[Math.round(part * (sorted.length - 1))]!;
}

/** The value of the curve at the point nearest to `step`. */
export function nearestValue(points: readonly Point[], step: number): number {
  let best = points[0]!;
  for (const point of points) if (Math.abs(point[0] - step) < Math.abs(best[0] - step)) best = point;
  return best[1];
}
