/**
 * Decodes chunks by a plan, and by a smaller one where memory runs out: whole, or head first and then the tail tile by tile,
 * a few frames at a time. Does not know where weights come from, nor seams between chunks.
 */
import { StepVideoError } from '../errors.ts';
import type { Executable } from '../runtime/compile.ts';
import { compileCache } from '../runtime/compile-cache.ts';
import { isOutOfMemory } from '../runtime/out-of-memory.ts';
import { float32, floats } from '../runtime/value.ts';
import { type AttentionForm, dim, type Shape } from '../tensor/index.ts';
import { SPATIAL_FACTOR, type VaeConfig } from './config.ts';
import { type DecodePlan, decodePlan, type LatentSize, tileSize } from './decode-plan.ts';
import {
  headSegment,
  middleSegment,
  type Norms,
  type Segment,
  TAIL_FACTOR,
  TAIL_FRAMES,
  tailSegment,
  wholeSegment,
} from './decoder-segments.ts';
import {
  blendTiles,
  frameMoments,
  runFrames,
  runTail,
  type SegmentMemory,
  segmentMemory,
  type TailRun,
  tileGrid,
} from './tiled-tail.ts';

/** Memory ran out, and decoding goes on with the chunk that failed. */
export type DecodeRetry = {
  /** In the words of whoever could not allocate. */
  readonly reason: string;
  /** Size of the tiles that come now, in pixels, and how many frames of one are made at a time. */
  readonly tile: readonly [height: number, width: number];
  readonly frames: number;
};

export type DecodeOptions = {
  /** Bytes that decoding may add to the process; what is free when it begins, unless given. */
  readonly memory?: number | undefined;
  /** Largest side of a tile in pixels, whatever the memory. */
  readonly tile?: number | undefined;
  readonly onRetry?: ((retry: DecodeRetry) => void) | undefined;
};

export type ChunkDecoderParts = {
  readonly config: VaeConfig;
  readonly form: AttentionForm;
  /** `large`: memory counts more than speed. */
  readonly compile: (segment: Segment, options: { readonly large: boolean }) => Promise<Executable>;
};

/** Whole chunks and the shorter last one. */
const KEPT_GRAPHS = 2;
/** From here on freed memory goes back to the system at once, which costs a seventh of the speed. */
const LARGE_BYTES = 2 ** 31;

/** Latents [F, z, h, w] flat of one chunk → pixels [8F - 7, 3, 16h, 16w] flat. */
export type DecodeChunk = (chunk: Float32Array, size: LatentSize) => Promise<Float32Array>;

/** A decoder for chunks of any size. */
export function chunkDecoder(parts: ChunkDecoderParts) {
  const { config, form } = parts;
  const wholes = compileCache<string>(KEPT_GRAPHS);

  const decode = async (plan: DecodePlan, chunk: Float32Array, size: LatentSize): Promise<Float32Array> => {
    const shape = [1, size.frames, config.z_channels, size.height, size.width];
    if (!plan.whole) return decodeParts(parts, plan, { chunk, size, shape });
    const large = plan.peakBytes > LARGE_BYTES;
    const build = () => parts.compile(wholeSegment(config, form, shape), { large });
    const graph = await wholes.get(shape.join('x'), build);
    return floats((await graph.run({ x: float32(chunk, shape) })).y);
  };

  return {
    /** For the chunks of one video: what one of them had to give up, the later ones do not try again. */
    video({ memory = process.availableMemory(), tile, onRetry }: DecodeOptions = {}): DecodeChunk {
      let bytes = memory;
      const plans = new Map<string, DecodePlan>();
      return async (chunk, size) => {
        const key = Object.values(size).join('x');
        for (;;) {
          const plan = plans.get(key) ?? decodePlan(config, size, bytes, { tile, form });
          plans.set(key, plan);
          try {
            return await decode(plan, chunk, size);
          } catch (error) {
            if (!isOutOfMemory(error)) throw error;
            await wholes.dispose();
            if (plan.peakBytes <= plan.leastBytes) throw exhausted(plan, size, error);
            bytes = Math.max(plan.leastBytes, plan.peakBytes / 2);
            plans.clear();
            const next = decodePlan(config, size, bytes, { tile, form });
            plans.set(key, next);
            onRetry?.(retry(next, size, error));
          }
        }
      };
    },
    close: () => wholes.dispose(),
  };
}

type Chunk = { readonly chunk: Float32Array; readonly size: LatentSize; readonly shape: Shape };

/** Head, middle frame by frame, then tail over tiles. Each graph leaves memory before the next comes. */
async function decodeParts(
  { config, form, compile }: ChunkDecoderParts,
  plan: DecodePlan,
  { chunk, size, shape }: Chunk,
): Promise<Float32Array> {
  const front = await using(
    await compile(headSegment(config, form, shape), { large: true }),
    async (head) => (await head.run({ x: float32(chunk, shape) })).y!,
  );
  const [, , ...picture] = front.shape;
  const middle = middleSegment(config, form, [1, 1, ...picture]);
  const { height, width } = tileSize(size, plan.tiles);
  const piece = [1, plan.slab, dim(middle.y!.shape, 2), height, width];
  const [ofMiddle, ofTail] = segmentMemory([middle, tailSegment(config, form, piece)]) as [
    SegmentMemory,
    SegmentMemory,
  ];
  const features = await using(await compile(middle, { large: true }), (graph) =>
    runFrames(graph, middle, { features: front, memory: ofMiddle }),
  );
  const tiles = tileGrid(size, plan.tiles);
  const withTail = async <T>(norms: Norms, work: (run: TailRun) => Promise<T>): Promise<T> => {
    const graph = await compile(tailSegment(config, form, piece, norms), { large: true });
    return using(graph, () =>
      work((tile, feeds) => runTail(graph, ofTail, { features, slab: plan.slab, tile, feeds })),
    );
  };
  if (tiles.length === 1) return withTail('own', (run) => blendTiles(run, { size, tiles }));
  const moments = await withTail('measured', (run) => frameMoments(run, size, plan.tiles));
  return withTail('given', (run) => blendTiles(run, { size, tiles, moments }));
}

function retry(next: DecodePlan, chunk: LatentSize, error: unknown): DecodeRetry {
  const { height, width } = tileSize(chunk, next.tiles);
  return {
    reason: reasonOf(error),
    tile: [TAIL_FACTOR * height, TAIL_FACTOR * width],
    frames: TAIL_FRAMES * next.slab,
  };
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

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
    reasonOf(cause),
    'a smaller size, or other programs closed',
    cause,
  );
}
