/**
 * The decoder cut in two where pictures are still a quarter of their size: a head that sees the whole chunk, attention included, and a
 * tail of local layers that can run tile by tile, and frame by frame, each convolution remembering what went before.
 * Graphs only: nothing is run here, and no weights are read.
 */
import { internalError } from '../errors.ts';
import { groupStatistics } from '../nn/norm.ts';
import { Scope } from '../nn/scope.ts';
import { type AttentionForm, concat, dim, input, type Shape, slice, type Tensor } from '../tensor/index.ts';
import { SPATIAL_FACTOR, type VaeConfig } from './config.ts';
import { type DecoderStage, decoderStages, EXTRA_FRAMES } from './decoder.ts';

/** First stage of the tail; from here on all norms and convolutions see the frames that will come out, or half of them. */
const TAIL = 'up.2.upsample';
/** Pixels to a feature of the tail's input, along each side. */
export const TAIL_FACTOR = 4;
/** Features to a latent, along each side. */
export const LATENT_FEATURES = SPATIAL_FACTOR / TAIL_FACTOR;
/** Frames that one frame of the tail's input becomes. */
export const TAIL_FRAMES = 2;
/** Frames that the tail makes in front of a chunk's first. */
export const LEADING_FRAMES = EXTRA_FRAMES;

export type Segment = Readonly<Record<string, Tensor>>;

const run = (stages: readonly DecoderStage[], x: Tensor): Tensor => stages.reduce((h, s) => s.run(h, () => {}), x);

/** Latents `x` [1, F, z, h, w] -> pixels `y` [1, 8F - 7, 3, 16h, 16w]. */
export function wholeSegment(config: VaeConfig, form: AttentionForm, shape: Shape): Segment {
  return { y: run(decoderStages(new Scope().at('decoder'), config, { form }), input('x', shape)) };
}

/** Latents `x` [1, F, z, h, w] -> features `y` [1, 2(2F - 1), C, 4h, 4w]. */
export function headSegment(config: VaeConfig, form: AttentionForm, shape: Shape): Segment {
  const stages = decoderStages(new Scope().at('decoder'), config, { form });
  return { y: run(stages.slice(0, tailStart(stages)), input('x', shape)) };
}

/**
 * A piece of the features `x` [1, T, C, r, c] -> pixels `y` [1, 2T, 3, 4r, 4c], the chunk's leading frames among them. Each `past.i`
 * goes in as the frames before the piece and comes out as those before the next; zeros before the first. Each `norm.i`
 * [2, 2T, groups, 1] is the mean and scale of a norm's groups: those that it found in x where `measured`, those to take where
 * `given`; a norm of its own input otherwise.
 */
export function tailSegment(
  config: VaeConfig,
  form: AttentionForm,
  shape: Shape,
  norms: 'own' | 'measured' | 'given' = 'own',
): Segment {
  const pasts: Record<string, Tensor> = {};
  const past = (x: Tensor, count: number): Tensor => {
    const name = `past.${Object.keys(pasts).length}`;
    const [batch, frames, ...picture] = x.shape as readonly [number, number, ...number[]];
    const all = concat([input(name, [batch, count, ...picture]), x], 1);
    pasts[name] = slice(all, 1, frames, frames + count);
    return all;
  };
  const found: Record<string, Tensor> = {};
  let taken = 0;
  const statistics = (grouped: Tensor, eps: number): Tensor => {
    const [pictures, groups] = grouped.shape as readonly [number, number];
    if (norms === 'given') return input(`norm.${taken++}`, [2, pictures, groups, 1]);
    const name = `norm.${Object.keys(found).length}`;
    found[name] = groupStatistics(grouped, eps);
    return found[name];
  };
  const options = { form, past, statistics: norms === 'own' ? undefined : statistics };
  const stages = decoderStages(new Scope().at('decoder'), config, options);
  const end = stages.findIndex(({ name }) => name === 'trim');
  const y = run(stages.slice(tailStart(stages), end), input('x', shape));
  if (dim(y.shape, 1) !== TAIL_FRAMES * dim(shape, 1) || dim(y.shape, 3) !== TAIL_FACTOR * dim(shape, 3))
    throw internalError('tail', 'must enlarge as its constants say', y.shape);
  return { y, ...pasts, ...found };
}

function tailStart(stages: readonly DecoderStage[]): number {
  const at = stages.findIndex(({ name }) => name === TAIL);
  if (at < 0) throw internalError('decoder', `must have stage ${TAIL}`, stages.map(({ name }) => name).join(' '));
  return at;
}
