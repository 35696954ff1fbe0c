/**
 * How to decode a chunk in a given memory: whole; else its tail a few frames at a time, which changes nothing; else in
 * tiles too, which is close to it. Decides from the graphs alone and runs nothing; does not know requests.
 */
import { inputError } from '../errors.ts';
import { freesMemory } from '../runtime/freed-memory.ts';
import { graphCost } from '../runtime/stage-cost.ts';
import { type AttentionForm, nameOf, reachable, type Shape, type Tensor } from '../tensor/index.ts';
import { decodedFrames } from './chunks.ts';
import { CHUNK_LATENTS, SPATIAL_FACTOR, type VaeConfig } from './config.ts';
import {
  headSegment,
  LATENT_FEATURES,
  MIDDLE_FRAMES,
  middleSegment,
  type Norms,
  type Segment,
  TAIL_FACTOR,
  tailSegment,
  wholeSegment,
} from './decoder-segments.ts';
import { mostSpans, spanLength } from './tiles.ts';

/** Size of the latents of one chunk or video. */
export type LatentSize = { readonly frames: number; readonly height: number; readonly width: number };

/** How one chunk is decoded. */
export type DecodePlan = {
  /** Whole: one graph. Else head and tail apart. */
  readonly whole: boolean;
  /** Features of the tail that go through at once, in frames: a divisor of those of a chunk. */
  readonly slab: number;
  /** Tiles of the tail, down and across. */
  readonly tiles: readonly [rows: number, columns: number];
  /** What decoding is estimated to add to the process at its peak. */
  readonly peakBytes: number;
  /** The same of the plan that needs least. */
  readonly leastBytes: number;
};

/** Features that neighbouring tiles share: twice those that a tail's pixel sees to one side. */
export const OVERLAP = 12;
const BYTES = 4;
/**
 * Measured on the parts of the official decoder, in multiples of what the graphs say; a whole decode of that size, where memory is given
 * back, peaked 3 % below. `opening`: copies of the weights while a graph is opened; they
 * are there as stored, as float32, cut by time tap, and in the layout of convolutions. `open`: those that stay. `live`: kernels
 * hold more than their order would need, copies in other layouts and results of taps not yet summed.
 */
const HELD = {
  freeing: { opening: 3.4, open: 1.1, live: 1.3, kept: 0 },
  /** What an allocator that does not give back has held for weights stays for whatever comes next. */
  keeping: { opening: 3.8, open: 3.8, live: 1.6, kept: 3.8 },
} as const;

/** What the runtime takes for itself: threads and sessions. */
const RUNTIME_BYTES = 60e6;

/** Frames of the tail's input for a chunk of latents. */
const tailFrames = (latentFrames: number): number => MIDDLE_FRAMES * (2 * latentFrames - 1);

/**
 * The plan that is nearest to decoding whole within `memoryBytes`; `tile` bounds the side of a tile in pixels whatever the memory.
 * `latents` is the whole video: its largest chunk counts.
 * @throws input error that says the least memory that would do, unless that plan is wanted where none fits (`orLeast`).
 */
export function decodePlan(
  config: VaeConfig,
  latents: LatentSize,
  memoryBytes: number,
  options: { readonly tile?: number | undefined; readonly form?: AttentionForm; readonly orLeast?: boolean } = {},
): DecodePlan {
  const { tile, form = 'fused', orLeast = false } = options;
  const chunk = { ...latents, frames: Math.min(latents.frames, CHUNK_LATENTS) };
  const steps = ladder(chunk).filter((step) => tile === undefined || fitsTile(chunk, step, tile));
  const last = steps.at(-1);
  if (last === undefined) {
    const [rows, columns] = ladder(chunk).at(-1)!.tiles;
    const { height, width } = tileSize(chunk, [rows, columns]);
    throw inputError(
      'decode',
      'tile must leave room for its overlaps',
      tile,
      `${TAIL_FACTOR * Math.max(height, width)} or more`,
    );
  }
  const held = HELD[freesMemory() ? 'freeing' : 'keeping'];
  const estimate = estimator(config, { chunk, form, held });
  const leastBytes = estimate(last);
  for (const step of steps) {
    const peakBytes = estimate(step);
    if (peakBytes <= memoryBytes) return { ...step, peakBytes, leastBytes };
  }
  if (orLeast) return { ...last, peakBytes: leastBytes, leastBytes };
  const size = `${chunk.height * SPATIAL_FACTOR}x${chunk.width * SPATIAL_FACTOR}`;
  throw inputError(
    'decode',
    `memory must be at least ${megabytes(leastBytes)} for frames of ${size}`,
    megabytes(memoryBytes),
    'a smaller size, or more memory',
  );
}

type Step = Pick<DecodePlan, 'whole' | 'slab' | 'tiles'>;

/** All ways to decode a chunk, each needing less memory than the one before. */
function ladder(chunk: LatentSize): Step[] {
  const frames = tailFrames(chunk.frames);
  const slabs = Array.from({ length: frames - 1 }, (_, i) => frames - 1 - i).filter((slab) => frames % slab === 0);
  const steps: Step[] = [
    { whole: true, slab: frames, tiles: [1, 1] },
    ...slabs.map((slab) => ({ whole: false, slab, tiles: [1, 1] as const })),
  ];
  const { height, width } = tileSize(chunk, [1, 1]);
  let [rows, columns] = [1, 1];
  for (;;) {
    const size = tileSize(chunk, [rows, columns]);
    const canRows = rows < mostSpans(height, OVERLAP);
    const canColumns = columns < mostSpans(width, OVERLAP);
    if (!canRows && !canColumns) return steps;
    if (canRows && (size.height > size.width || !canColumns)) rows++;
    else columns++;
    steps.push({ whole: false, slab: 1, tiles: [rows, columns] });
  }
}

/** Features of one tile. */
export const tileSize = (
  chunk: LatentSize,
  [rows, columns]: DecodePlan['tiles'],
): { height: number; width: number } => ({
  height: spanLength(chunk.height * LATENT_FEATURES, rows, OVERLAP),
  width: spanLength(chunk.width * LATENT_FEATURES, columns, OVERLAP),
});

function fitsTile(chunk: LatentSize, { tiles }: Step, tile: number): boolean {
  const { height, width } = tileSize(chunk, tiles);
  return TAIL_FACTOR * Math.max(height, width) <= tile;
}

/** Peak bytes of a step: the largest of its graphs, each beside what lies in arrays while it runs. */
function estimator(
  config: VaeConfig,
  { chunk, form, held }: { chunk: LatentSize; form: AttentionForm; held: Held },
): (step: Step) => number {
  const segmentBytes = (segment: Segment) => bytesOfSegment(segment, held);
  const { frames, height, width } = chunk;
  const latents = [1, frames, config.z_channels, height, width];
  const head = headSegment(config, form, latents);
  const [, , ...picture] = head.y!.shape;
  const middle = middleSegment(config, form, [1, 1, ...picture]);
  const features = MIDDLE_FRAMES * (2 * frames - 1) * pictureBytes(middle.y!.shape);
  const video = decodedFrames(frames) * 3 * height * width * SPATIAL_FACTOR ** 2 * BYTES;
  const before = Math.max(
    segmentBytes(head),
    (2 * frames - 1) * pictureBytes(head.y!.shape) + features + segmentBytes(middle),
  );
  return ({ whole, slab, tiles }) => {
    if (whole) return segmentBytes(wholeSegment(config, form, latents));
    const size = tileSize(chunk, tiles);
    const shape = [1, slab, middle.y!.shape[2]!, size.height, size.width];
    const norms: readonly Norms[] = tiles[0] * tiles[1] === 1 ? ['own'] : ['measured', 'given'];
    const tails = norms.map((each) => segmentBytes(tailSegment(config, form, shape, each)));
    return Math.max(before, features + video + held.kept * weightsOf(middle) + Math.max(...tails));
  };
}

type Held = (typeof HELD)[keyof typeof HELD];

const bytesOf = ({ shape }: Pick<Tensor, 'shape'>): number => shape.reduce((a, b) => a * b, BYTES);

/** As float32. */
const weightsOf = (segment: Segment): number =>
  [...weightSizes(segment).values()].reduce((sum, bytes) => sum + bytes, 0);

const weightSizes = (segment: Segment): ReadonlyMap<string, number> =>
  new Map(
    reachable(Object.values(segment))
      .filter(({ op }) => op === 'Parameter')
      .map((x) => [nameOf(x), bytesOf(x)]),
  );

/** Weights and values of one run; what is remembered lies in the memory that it came in. */
function bytesOfSegment(segment: Segment, { opening, open, live }: Held): number {
  const sizes = weightSizes(segment);
  const stored = (name: string) => ({ bytes: sizes.get(name) ?? 0, form: 'plain' as const });
  const isGiven = (output: string): boolean => output.startsWith('past.');
  const { weights, work } = graphCost(segment, stored, { folded: true, isGiven });
  const inputs = reachable(Object.values(segment)).filter(({ op }) => op === 'Input');
  const fed = inputs.reduce((sum, x) => sum + bytesOf(x), 0);
  return RUNTIME_BYTES + Math.max(opening * weights, open * weights + fed + live * work);
}

/** Of features [1, T, C, r, c], one frame's. */
const pictureBytes = ([, , ...picture]: Shape): number => picture.reduce((a, b) => a * b, BYTES);

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
