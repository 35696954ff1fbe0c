/**
 * The decoder cut in three: a head that sees the whole chunk at once, attention included; a middle, up to a quarter of the final
 * size, that takes frames one by one; and a tail that takes a few frames, and tiles of them. In both of these each convolution
 * remembers what went before. Graphs only: nothing is run here, and no weights are read.
 */
import { internalError } from '../errors.ts';
import type { Past } from '../nn/conv.ts';
import { weightedMoments } from '../nn/norm.ts';
import { Scope } from '../nn/scope.ts';
import { type AttentionForm, concat, dim, div, input, type Shape, slice, sum, type Tensor } from '../tensor/index.ts';
import { SPATIAL_FACTOR, type VaeConfig } from './config.ts';
import { type DecoderStage, decoderStages, EXTRA_FRAMES } from './decoder.ts';

/** First stage of the middle, behind attention. */
const MIDDLE = 'up.3.block.0';
/** Frames that one frame of the middle's input becomes. */
export const MIDDLE_FRAMES = 2;
/** First stage of the tail; from here on all norms and convolutions see the frames that will come out, or half of them. */
const TAIL = 'up.2.upsample';
/** Pixels to a feature of the tail's input, along each side. */
export const TAIL_FACTOR = 4;
/** Features to a latent, along each side. */
export const LATENT_FEATURES = SPATIAL_FACTOR / TAIL_FACTOR;
/** Frames that one frame of the tail's input becomes. */
export const TAIL_FRAMES = 2;
/** By how much the pictures of a tail's norms are larger than its input. */
export const NORM_FACTORS = [2, 4];
/** Frames that the tail makes in front of a chunk's first. */
export const LEADING_FRAMES = EXTRA_FRAMES;

export type Segment = Readonly<Record<string, Tensor>>;

const run = (stages: readonly DecoderStage[], x: Tensor): Tensor => stages.reduce((h, s) => s.run(h, () => {}), x);

/** Latents `x` [1, F, z, h, w] -> pixels `y` [1, 8F - 7, 3, 16h, 16w]. */
export function wholeSegment(config: VaeConfig, form: AttentionForm, shape: Shape): Segment {
  return { y: run(decoderStages(new Scope().at('decoder'), config, { form }), input('x', shape)) };
}

/** Latents `x` [1, F, z, h, w] -> features `y` [1, 2F - 1, C, 2h, 2w]. */
export function headSegment(config: VaeConfig, form: AttentionForm, shape: Shape): Segment {
  const stages = decoderStages(new Scope().at('decoder'), config, { form });
  return { y: run(stages.slice(0, stageAt(stages, MIDDLE)), input('x', shape)) };
}

/** Frames of those features, `x` [1, T, C, r, c] -> features `y` [1, 2T, C', 2r, 2c], with `past.i` as a tail has them. */
export function middleSegment(config: VaeConfig, form: AttentionForm, shape: Shape): Segment {
  const { past, pasts } = rememberedFrames();
  const stages = decoderStages(new Scope().at('decoder'), config, { form, past });
  const y = run(stages.slice(stageAt(stages, MIDDLE), stageAt(stages, TAIL)), input('x', shape));
  return { y, ...pasts };
}

/** Whose statistics the norms of a tail take. */
export type Norms = 'own' | 'measured' | 'given';

/**
 * A piece of the features `x` [1, T, C, r, c] -> pixels `y` [1, 2T, 3, 4r, 4c], the chunk's leading frames among them. Each `past.i`
 * goes in as the frames before the piece and comes out as those before the next; zeros before the first.
 *
 * Norms take their own input's statistics, unless `norms` says: `measured` weighs places by the fed `weight.k` [k r * k c], k the enlargement,
 * and gives each norm's share of moments as `norm.i` [2, 2T, groups], where all weights of a frame are 1 in sum; `given` takes moments.
 */
export function tailSegment(config: VaeConfig, form: AttentionForm, shape: Shape, norms: Norms = 'own'): Segment {
  const { past, pasts } = rememberedFrames();
  const measured: Record<string, Tensor> = {};
  let taken = 0;
  const moments = (x: Tensor, groups: number): Tensor => {
    const [pictures, , height, width] = x.shape as readonly [number, number, number, number];
    if (norms === 'given') return input(`norm.${taken++}`, [2, pictures, groups]);
    const weights = input(`weight.${height / dim(shape, 3)}`, [height * width]);
    const shares = weightedMoments(x, groups, weights);
    measured[`norm.${Object.keys(measured).length}`] = shares;
    // The norm itself needs them, so they are made on the way; else they would be made last, all that they are of kept for them.
    return div(shares, sum(weights));
  };
  const options = { form, past, moments: norms === 'own' ? undefined : moments };
  const stages = decoderStages(new Scope().at('decoder'), config, options);
  const y = run(stages.slice(stageAt(stages, TAIL), stageAt(stages, 'trim')), input('x', shape));
  if (dim(y.shape, 1) !== TAIL_FRAMES * dim(shape, 1) || dim(y.shape, 3) !== TAIL_FACTOR * dim(shape, 3))
    throw internalError('tail', 'must enlarge as its constants say', y.shape);
  return { y, ...pasts, ...measured };
}

/** What convolutions take as the frames before theirs: inputs `past.i`; and, under the same names, what is to be fed next. */
function rememberedFrames(): { past: Past; pasts: Record<string, Tensor> } {
  const pasts: Record<string, Tensor> = {};
  const past: Past = (x, count) => {
    const name = `past.${Object.keys(pasts).length}`;
    const [batch, frames, ...picture] = x.shape as readonly [number, number, ...number[]];
    const all = concat([input(name, [batch, count, ...picture]), x], 1);
    const kept = slice(all, 1, frames, frames + count);
    pasts[name] = kept;
    return { all, kept };
  };
  return { past, pasts };
}

function stageAt(stages: readonly DecoderStage[], name: string): number {
  const at = stages.findIndex((stage) => stage.name === name);
  if (at < 0) throw internalError('decoder', `must have stage ${name}`, stages.map((stage) => stage.name).join(' '));
  return at;
}
