/**
 * The decoder's tail over a frame in tiles: pixels blended into one video, and the moments of norms over all tiles together.
 * Does not know how tiles and slabs were chosen, nor how graphs are compiled.
 */
import type { Executable } from '../runtime/compile.ts';
import { float32, floats, type Value, type Values, zeros } from '../runtime/value.ts';
import { dim, sizeOf } from '../tensor/index.ts';
import { decodedFrames } from './chunks.ts';
import { SPATIAL_FACTOR } from './config.ts';
import { type DecodePlan, type LatentSize, OVERLAP } from './decode-plan.ts';
import { LATENT_FEATURES, LEADING_FRAMES, NORM_FACTORS, type Segment, TAIL_FACTOR } from './decoder-segments.ts';
import { addTile, blendWeights, cutTile, type Span, spans } from './tiles.ts';

type Results = Readonly<Record<string, Value>>;
/** The tail over one tile, slab by slab; `feeds` are those of slab i beside the tile itself. */
export type TailRun = (tile: Tile, feeds?: (slab: number) => Values) => AsyncGenerator<Results, void, void>;
export type Tile = {
  /** In features. */
  readonly rows: Span;
  readonly columns: Span;
  /** Of its pixels. */
  readonly weights: readonly [rows: Float32Array, columns: Float32Array];
};

/** All tiles of a frame, with the weights of their places where features are enlarged by `factor`. */
export function tileGrid(
  { height, width }: LatentSize,
  [rows, columns]: DecodePlan['tiles'],
  factor = TAIL_FACTOR,
): Tile[] {
  const [down, across] = [axisTiles(height, rows, factor), axisTiles(width, columns, factor)];
  return down.spans.flatMap((row, i) =>
    across.spans.map((column, j) => ({
      rows: row,
      columns: column,
      weights: [down.weights[i]!, across.weights[j]!] as const,
    })),
  );
}

function axisTiles(latents: number, count: number, factor: number) {
  const size = latents * LATENT_FEATURES;
  const cover = spans(size, count, OVERLAP);
  return {
    spans: cover,
    weights: blendWeights(
      cover.map((span) => enlarged(span, factor)),
      factor * size,
    ),
  };
}

const enlarged = ({ from, to }: Span, factor: number): Span => ({ from: factor * from, to: factor * to });

/** Pixels of all tiles as one video [8F - 7, 3, 16h, 16w] flat. */
export async function blendTiles(
  run: TailRun,
  { size, tiles, moments }: { size: LatentSize; tiles: readonly Tile[]; moments?: readonly Values[] },
): Promise<Float32Array> {
  const picture = { height: SPATIAL_FACTOR * size.height, width: SPATIAL_FACTOR * size.width };
  const video = new Float32Array(decodedFrames(size.frames) * 3 * picture.height * picture.width);
  for (const { rows, columns, weights } of tiles) {
    let frame = -LEADING_FRAMES;
    for await (const { y } of run({ rows, columns, weights }, (slab) => moments?.[slab] ?? {})) {
      const frames = dim(y!.shape, 1);
      const skipped = Math.min(frames, Math.max(0, -frame));
      const data = floats(y).subarray((skipped * floats(y).length) / frames);
      addTile(video, picture, {
        data,
        first: 3 * (frame + skipped),
        rows: enlarged(rows, TAIL_FACTOR),
        columns: enlarged(columns, TAIL_FACTOR),
        weights,
      });
      frame += frames;
    }
  }
  return video;
}

/** Moments of each norm over the whole frame, for each slab: what the norms find in the tiles, each place counted once in all. */
export async function frameMoments(run: TailRun, size: LatentSize, counts: DecodePlan['tiles']): Promise<Values[]> {
  const grids = NORM_FACTORS.map((factor) => ({
    name: `weight.${factor}`,
    tiles: tileGrid(size, counts, factor),
    factor,
  }));
  const sums: Record<string, Value>[] = [];
  for (const [i, tile] of tileGrid(size, counts).entries()) {
    const weights = Object.fromEntries(
      grids.map(({ name, tiles, factor }) => [
        name,
        placeWeights(tiles[i]!, size.height * size.width * (LATENT_FEATURES * factor) ** 2),
      ]),
    );
    let slab = 0;
    for await (const { y: _, ...norms } of run(tile, () => weights)) {
      const before = sums[slab] ?? {};
      sums[slab++] = Object.fromEntries(
        Object.entries(norms).map(([name, moments]) => [name, sumOf(before[name], moments)]),
      );
    }
  }
  return sums;
}

function sumOf(a: Value | undefined, b: Value): Value {
  if (a === undefined) return b;
  const other = floats(a);
  return float32(
    floats(b).map((value, i) => value + other[i]!),
    b.shape,
  );
}

/** Weights of a tile's places, row by row, as shares of the `places` of the whole frame. */
function placeWeights({ weights: [rows, columns] }: Tile, places: number): Value {
  const flat = Float32Array.from({ length: rows.length * columns.length }, (_, i) => {
    const row = Math.floor(i / columns.length);
    return (rows[row]! * columns[i % columns.length]!) / places;
  });
  return float32(flat, [flat.length]);
}

/** A graph over features [1, T, C, r, c], one frame after the other, as one value. */
export async function runFrames(
  graph: Executable,
  segment: Segment,
  { features, memory }: { features: Value; memory: SegmentMemory },
): Promise<Value> {
  const [, frames, , height, width] = features.shape as readonly [number, number, number, number, number];
  const [, made, ...picture] = segment.y!.shape;
  const whole = zeros([1, frames * made!, ...picture]);
  const tile = { rows: { from: 0, to: height }, columns: { from: 0, to: width } };
  let at = 0;
  for await (const { y } of runTail(graph, memory, { features, slab: 1, tile })) {
    floats(whole).set(floats(y), at);
    at += floats(y).length;
  }
  return whole;
}

/** Where a segment writes, piece after piece: its `y`, and the frames that it keeps for the next. Of the tail of 544x992 these are 2 GB. */
export type SegmentMemory = { readonly y: Value; readonly pasts: Values };

/**
 * That of each of `segments`, in one piece of memory that all of them and all their tiles take turns with: of pieces of their own, the
 * collector would let most lie about.
 */
export function segmentMemory(segments: readonly Segment[]): SegmentMemory[] {
  const written = segments.map((segment) =>
    Object.entries(segment).filter(([name]) => name === 'y' || name.startsWith('past.')),
  );
  const lengths = written.map((own) => own.reduce((sum, [, { shape }]) => sum + sizeOf(shape), 0));
  const memory = new Float32Array(Math.max(...lengths));
  return written.map((own) => {
    let at = 0;
    const placed = own.map(([name, { shape }]) => {
      const from = at;
      at += sizeOf(shape);
      return [name, float32(memory.subarray(from, at), shape)] as const;
    });
    const { y, ...pasts } = Object.fromEntries(placed);
    return { y: y!, pasts };
  });
}

/**
 * The tail over one tile: what is remembered is replaced in place, since it is read once, before its successor is made. `y` of a
 * slab is good until the next one is asked for: it lies where the next one's will.
 */
export async function* runTail(
  graph: Executable,
  { y, pasts }: SegmentMemory,
  {
    features,
    slab,
    tile,
    feeds,
  }: {
    features: Value;
    slab: number;
    tile: Pick<Tile, 'rows' | 'columns'>;
    feeds?: ((slab: number) => Values) | undefined;
  },
): AsyncGenerator<Results, void, void> {
  const [, frames, channels, height, width] = features.shape as readonly [number, number, number, number, number];
  for (const past of Object.values(pasts)) floats(past).fill(0);
  const frame = channels * height * width;
  const { rows, columns } = tile;
  const shape = [1, slab, channels, rows.to - rows.from, columns.to - columns.from];
  const into = { ...pasts, y };
  for (let from = 0; from < frames; from += slab) {
    const part = floats(features).subarray(from * frame, (from + slab) * frame);
    const x = float32(cutTile(part, { height, width }, [rows, columns]), shape);
    const results = await graph.run({ x, ...pasts, ...feeds?.(from / slab) }, into);
    yield Object.fromEntries(Object.entries(results).filter(([name]) => !(name in pasts)));
  }
}
