/**
 * Decodes chunks by a plan, and by a smaller one where memory runs out: whole, or head first and then the tail tile by tile,
 * a few frames at a time. Does not know where weights come from, nor seams between chunks.
 */
import { StepVideoError } from '../errors.ts';
import type { Executable } from '../runtime/compile.ts';
import { compileCache } from '../runtime/compile-cache.ts';
import { isOutOfMemory } from '../runtime/out-of-memory.ts';
import { float32, floats, type Value, type Values, zeros } from '../runtime/value.ts';
import { type AttentionForm, dim, type Shape } from '../tensor/index.ts';
import { decodedFrames } from './chunks.ts';
import { SPATIAL_FACTOR, type VaeConfig } from './config.ts';
import { type DecodePlan, decodePlan, type LatentSize, OVERLAP, tileSize } from './decode-plan.ts';
import {
  headSegment,
  LATENT_FEATURES,
  LEADING_FRAMES,
  type Segment,
  TAIL_FACTOR,
  tailSegment,
  wholeSegment,
} from './decoder-segments.ts';
import { pooledStatistics } from './norm-statistics.ts';
import { addTile, blendWeights, cutTile, type Span, spans } from './tiles.ts';

/** Memory ran out, and decoding goes on with the chunk that failed. */
export type DecodeRetry = { readonly failed: DecodePlan; readonly next: DecodePlan };

export type ChunkDecoderOptions = {
  readonly config: VaeConfig;
  readonly form: AttentionForm;
  /** `large`: memory counts more than speed. */
  readonly compile: (segment: Segment, options: { readonly large: boolean }) => Promise<Executable>;
  /** Bytes that decoding may add to the process, asked before each size that is new. */
  readonly memory: () => number;
  /** Largest side of a tile in pixels; by memory alone unless given. */
  readonly tile?: number | undefined;
  readonly onRetry?: ((retry: DecodeRetry) => void) | undefined;
};

/** Whole chunks and the shorter last one. */
const KEPT_GRAPHS = 2;
/** From here on freed memory goes back to the system at once. */
const LARGE_BYTES = 2 ** 30;

/** One decoder for chunks of any size; `run` takes latents [F, z, h, w] flat → pixels [8F - 7, 3, 16h, 16w] flat. */
export function chunkDecoder(options: ChunkDecoderOptions) {
  const { config, form, memory, tile, onRetry } = options;
  const wholes = compileCache<string>(KEPT_GRAPHS);
  const plans = new Map<string, DecodePlan>();
  const planFor = (size: LatentSize, bytes: number): DecodePlan => decodePlan(config, size, bytes, { tile, form });

  const decode = (plan: DecodePlan, chunk: Float32Array, size: LatentSize): Promise<Float32Array> => {
    const shape = [1, size.frames, config.z_channels, size.height, size.width];
    if (!plan.whole) return decodeParts(options, plan, { chunk, size, shape });
    const large = plan.peakBytes > LARGE_BYTES;
    const build = () => options.compile(wholeSegment(config, form, shape), { large });
    return wholes
      .get(shape.join('x'), build)
      .then(async (graph) => floats((await graph.run({ x: float32(chunk, shape) })).y));
  };

  return {
    async run(chunk: Float32Array, size: LatentSize): Promise<Float32Array> {
      const key = Object.values(size).join('x');
      for (;;) {
        const plan = plans.get(key) ?? planFor(size, memory());
        plans.set(key, plan);
        try {
          return await decode(plan, chunk, size);
        } catch (error) {
          if (!isOutOfMemory(error)) throw error;
          await wholes.dispose();
          if (plan.peakBytes <= plan.leastBytes) throw exhausted(plan, size, error);
          const next = planFor(size, Math.max(plan.leastBytes, plan.peakBytes / 2));
          plans.set(key, next);
          onRetry?.({ failed: plan, next });
        }
      }
    },
    close: () => wholes.dispose(),
  };
}

type Chunk = { readonly chunk: Float32Array; readonly size: LatentSize; readonly shape: Shape };

/** Head, then tail over tiles. Each graph leaves memory before the next comes. */
async function decodeParts(
  { config, form, compile }: ChunkDecoderOptions,
  plan: DecodePlan,
  { chunk, size, shape }: Chunk,
): Promise<Float32Array> {
  const features = await using(
    await compile(headSegment(config, form, shape), { large: true }),
    async (head) => (await head.run({ x: float32(chunk, shape) })).y!,
  );
  const { height, width } = tileSize(size, plan.tiles);
  const piece = [1, plan.slab, dim(features.shape, 2), height, width];
  const tiles = tileGrid(size, plan.tiles);
  const withTail = async <T>(norms: Norms, work: (run: TailRun) => Promise<T>): Promise<T> => {
    const tail = tailSegment(config, form, piece, norms);
    const graph = await compile(tail, { large: true });
    return using(graph, () => work((tile, given) => runTail(graph, tail, { features, slab: plan.slab, tile, given })));
  };
  if (tiles.length === 1) return withTail('own', (run) => blendTiles(run, { size, tiles }));
  const statistics = await withTail('measured', (run) => frameStatistics(run, tiles));
  return withTail('given', (run) => blendTiles(run, { size, tiles, statistics }));
}

type Norms = Parameters<typeof tailSegment>[3];
type Results = Readonly<Record<string, Value>>;
/** The tail over one tile, slab by slab, with `norm.i` given for each slab, or none. */
type TailRun = (tile: Tile, given?: readonly Values[]) => AsyncGenerator<Results, void, void>;
type Tile = {
  /** In features. */
  readonly rows: Span;
  readonly columns: Span;
  /** Of its pixels. */
  readonly weights: readonly [rows: Float32Array, columns: Float32Array];
};

/** All tiles of a frame. */
function tileGrid({ height, width }: LatentSize, [rows, columns]: DecodePlan['tiles']): Tile[] {
  const [down, across] = [axisTiles(height, rows), axisTiles(width, columns)];
  return down.spans.flatMap((row, i) =>
    across.spans.map((column, j) => ({
      rows: row,
      columns: column,
      weights: [down.weights[i]!, across.weights[j]!] as const,
    })),
  );
}

function axisTiles(latents: number, count: number) {
  const cover = spans(latents * LATENT_FEATURES, count, OVERLAP);
  return { spans: cover, weights: blendWeights(cover.map(pixels), latents * SPATIAL_FACTOR) };
}

const pixels = ({ from, to }: Span): Span => ({ from: TAIL_FACTOR * from, to: TAIL_FACTOR * to });

/** Pixels of all tiles as one video [8F - 7, 3, 16h, 16w] flat. */
async function blendTiles(
  run: TailRun,
  { size, tiles, statistics }: { size: LatentSize; tiles: readonly Tile[]; statistics?: readonly Values[] },
): Promise<Float32Array> {
  const picture = { height: SPATIAL_FACTOR * size.height, width: SPATIAL_FACTOR * size.width };
  const video = new Float32Array(decodedFrames(size.frames) * 3 * picture.height * picture.width);
  for (const { rows, columns, weights } of tiles) {
    let frame = -LEADING_FRAMES;
    for await (const { y } of run({ rows, columns, weights }, statistics)) {
      const frames = dim(y!.shape, 1);
      const skipped = Math.min(frames, Math.max(0, -frame));
      const data = floats(y).subarray((skipped * floats(y).length) / frames);
      addTile(video, picture, {
        data,
        first: 3 * (frame + skipped),
        rows: pixels(rows),
        columns: pixels(columns),
        weights,
      });
      frame += frames;
    }
  }
  return video;
}

/** Mean and scale of each norm over the whole frame, from those that it has in the tiles: a value a norm for each slab. */
async function frameStatistics(run: TailRun, tiles: readonly Tile[]): Promise<Values[]> {
  const perTile: Results[][] = [];
  for (const tile of tiles) {
    const slabs: Results[] = [];
    for await (const { y: _, ...norms } of run(tile)) slabs.push(norms);
    perTile.push(slabs);
  }
  return perTile[0]!.map((first, slab) =>
    Object.fromEntries(
      Object.keys(first).map((name) => [name, pooledStatistics(perTile.map((slabs) => slabs[slab]![name]!))]),
    ),
  );
}

/** The tail over one tile: what is remembered is replaced in place, since it is read once, before its successor is made. */
async function* runTail(
  graph: Executable,
  tail: Segment,
  { features, slab, tile, given }: { features: Value; slab: number; tile: Tile; given?: readonly Values[] | undefined },
): AsyncGenerator<Results, void, void> {
  const [, frames, channels, height, width] = features.shape as readonly [number, number, number, number, number];
  const pasts = Object.fromEntries(
    Object.entries(tail).flatMap(([name, { shape }]) => (name.startsWith('past.') ? [[name, zeros(shape)]] : [])),
  );
  const frame = channels * height * width;
  const { rows, columns } = tile;
  const shape = [1, slab, channels, rows.to - rows.from, columns.to - columns.from];
  for (let from = 0; from < frames; from += slab) {
    const part = floats(features).subarray(from * frame, (from + slab) * frame);
    const x = float32(cutTile(part, { height, width }, [rows, columns]), shape);
    const results = await graph.run({ x, ...pasts, ...given?.[from / slab] }, pasts);
    yield Object.fromEntries(Object.entries(results).filter(([name]) => !(name in pasts)));
  }
}

async function using<T>(graph: Executable, work: (graph: Executable) => Promise<T>): Promise<T> {
  try {
    return await work(graph);
  } finally {
    await graph.dispose();
  }
}

function exhausted(plan: DecodePlan, size: LatentSize, cause: unknown): StepVideoError {
  const needed = `${Math.ceil(plan.leastBytes / 2 ** 20)} MiB`;
  return new StepVideoError(
    'environment',
    'decode',
    `frames of ${size.height * SPATIAL_FACTOR}x${size.width * SPATIAL_FACTOR} need about ${needed} of free memory`,
    cause instanceof Error ? cause.message : String(cause),
    'a smaller size, or other programs closed',
    cause,
  );
}
