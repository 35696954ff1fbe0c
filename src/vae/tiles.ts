/**
 * How a frame falls into overlapping tiles, and how decoded tiles are blended into one frame. Plain arithmetic on arrays.
 * Does not know networks, nor how large a tile may be.
 */

/** Half-open range of rows or columns. */
export type Span = { readonly from: number; readonly to: number };

/**
 * `count` spans of one length that cover 0 up to `size`, neighbours sharing at least `overlap`; one span is the whole.
 * Their length is the least that does it.
 */
export function spans(size: number, count: number, overlap: number): Span[] {
  const length = spanLength(size, count, overlap);
  return Array.from({ length: count }, (_, i) => {
    const from = count === 1 ? 0 : Math.round((i * (size - length)) / (count - 1));
    return { from, to: from + length };
  });
}

/** Length of each of `count` spans, rounding of their starts allowed for. */
export function spanLength(size: number, count: number, overlap: number): number {
  if (count === 1) return size;
  const exact = Math.ceil((size + (count - 1) * overlap) / count);
  const shared = (length: number): number => length - Math.ceil((size - length) / (count - 1));
  let length = exact;
  while (length < size && shared(length) < overlap) length++;
  return Math.min(length, size);
}

/** Most spans that shorten with their number and leave no place in three of them, so that only neighbours are blended. */
export function mostSpans(size: number, overlap: number): number {
  let count = 1;
  while (spanLength(size, count + 1, overlap) < spanLength(size, count, overlap)) {
    const next = spans(size, count + 1, overlap);
    if (next.some(({ from }, i) => i >= 2 && from < next[i - 2]!.to)) break;
    count++;
  }
  return count;
}

/**
 * Weight of each span at each of its places, the weights of one place adding up to 1. A span counts for nothing in the
 * outer quarter of what it shares, where it cannot see far enough, and rises in a straight line over the middle half.
 */
export function blendWeights(cover: readonly Span[], size: number): Float32Array[] {
  const raw = cover.map(({ from, to }, i) => {
    const before = cover[i - 1];
    const after = cover[i + 1];
    return Float64Array.from({ length: to - from }, (_, at) => {
      const place = from + at;
      const rise = before === undefined ? 1 : ramp((place + 0.5 - from) / (before.to - from));
      const fall = after === undefined ? 1 : ramp((to - place - 0.5) / (to - after.from));
      return Math.min(rise, fall);
    });
  });
  const total = new Float64Array(size);
  cover.forEach(({ from }, i) => {
    raw[i]!.forEach((weight, at) => {
      total[from + at]! += weight;
    });
  });
  return raw.map((weights, i) => Float32Array.from(weights, (weight, at) => weight / total[cover[i]!.from + at]!));
}

/** 0 up to a quarter, 1 from three quarters on. */
const ramp = (x: number): number => Math.min(1, Math.max(0, 2 * x - 0.5));

type Picture = { readonly height: number; readonly width: number };

/** The part [rows, columns] of every one of `planes` pictures: [planes, height, width] flat -> [planes, rows, columns] flat. */
export function cutTile(
  data: Float32Array,
  { height, width }: Picture,
  [rows, columns]: readonly [Span, Span],
): Float32Array {
  const planes = data.length / (height * width);
  const size = { height: rows.to - rows.from, width: columns.to - columns.from };
  const tile = new Float32Array(planes * size.height * size.width);
  let at = 0;
  for (let plane = 0; plane < planes; plane++)
    for (let row = rows.from; row < rows.to; row++) {
      const start = (plane * height + row) * width;
      tile.set(data.subarray(start + columns.from, start + columns.to), at);
      at += size.width;
    }
  return tile;
}

/** Adds a tile [planes, rows, columns] times its weights to `sum` [planes, height, width], from plane `first` on. */
export function addTile(
  sum: Float32Array,
  { height, width }: Picture,
  tile: {
    readonly data: Float32Array;
    readonly first: number;
    readonly rows: Span;
    readonly columns: Span;
    readonly weights: readonly [rows: Float32Array, columns: Float32Array];
  },
): void {
  const { data, first, rows, columns, weights } = tile;
  const [rowWeights, columnWeights] = weights;
  const size = rowWeights.length * columnWeights.length;
  for (let plane = 0; plane * size < data.length; plane++)
    for (let row = 0; row < rowWeights.length; row++) {
      const to = ((first + plane) * height + rows.from + row) * width + columns.from;
      const from = plane * size + row * columnWeights.length;
      for (let column = 0; column < columnWeights.length; column++)
        sum[to + column]! += data[from + column]! * rowWeights[row]! * columnWeights[column]!;
    }
}
