/**
 * Terms of the VAE's loss that need a network of their own: perceptual distance by a frozen one, and a discriminator that learns
 * beside the VAE. Each gives every bucket a scalar and what it is to be fed.
 */
import { openFeatures } from '../features/load.ts';
import { featureNetwork } from '../features/network.ts';
import { Scope } from '../nn/scope.ts';
import { float32, type Values } from '../runtime/value.ts';
import { concat, input, mul, sub, type Tensor } from '../tensor/index.ts';
import type { Adversary } from './adversary.ts';
import { type AdversarialConfig, group, type PerceptualConfig, type VaeTraining } from './config.ts';
import { discriminator, generatorLoss, hingeLoss } from './discriminator.ts';
import { frameChoice } from './frame-choice.ts';
import type { Bucket } from './gradients.ts';
import { initialValues, loadValues } from './parameters.ts';
import { featureDistance } from './vae-loss.ts';

/** Videos [B, T, 3, H, W] of bucket `index`. */
type Videos = { readonly index: number; readonly reconstruction: Tensor; readonly pixels: Tensor };

export type Term = {
  readonly name: string;
  /** As it is reported. */
  readonly figure: Tensor;
  /** As it is added to the loss. */
  readonly weighted: Tensor;
  feeds(step: number): Values;
} & Pick<Bucket, 'made' | 'take'>;

export type TermOf = (videos: Videos) => Term;

const choiceOf = (name: string, { pixels }: Videos, every: number) =>
  frameChoice(name, { batch: pixels.shape[0]!, frames: pixels.shape[1]!, every });

/** Distance in the feature network of `config.features`, which is read here and never changes. */
export async function perceptualTerm(config: PerceptualConfig): Promise<TermOf> {
  const { config: network, source } = await openFeatures(config.features);
  const scope = new Scope({ training: true });
  const forward = featureNetwork(scope, network);
  const frozen = await loadValues(scope.specs, source).finally(() => source.close());
  return (videos) => {
    const choice = choiceOf('perceptual', videos, config.everyFrames);
    const levels = (video: Tensor): readonly Tensor[] => forward(choice.pick(video)).levels;
    const figure = featureDistance(levels(videos.reconstruction), levels(videos.pixels));
    return {
      name: 'perceptual',
      figure,
      weighted: mul(figure, config.weight),
      feeds: (step) => ({ ...choice.feeds(step), ...Object.fromEntries(frozen) }),
    };
  };
}

/** A fresh discriminator: the term that the VAE gets, and the adversary that learns from the pairs which the VAE's steps make. */
export function adversarialTerm(
  config: AdversarialConfig,
  { seed, buckets }: Pick<VaeTraining, 'seed' | 'buckets'>,
): { term: TermOf; adversary(): Adversary } {
  const scope = new Scope({ training: true });
  const judge = discriminator(scope.at('discriminator'), config.widths);
  const opposing: Bucket[] = [];
  const term = (videos: Videos): Term => {
    const choice = choiceOf('adversarial', videos, config.everyFrames);
    const pairs = (video: Tensor): Tensor => {
      const frame = choice.pick(video);
      return concat([frame, sub(choice.pickNext(video), frame)], 1);
    };
    const made = { made: pairs(videos.reconstruction), real: pairs(videos.pixels) };
    const figure = generatorLoss(judge(made.made));
    const weight = input('adversarial:weight', []);
    const { weight: share, batch, frames } = buckets[videos.index]!;
    const kept = new Map<number, Values>();
    opposing.push(opposingBucket(judge, { shape: made.real.shape, share, batch, frames, kept }));
    return {
      name: 'adversarial',
      figure,
      weighted: mul(figure, weight),
      feeds: (step) => ({
        ...choice.feeds(step),
        'adversarial:weight': float32(Float32Array.of(weightAt(config, step)), []),
      }),
      made,
      take: (micro, values) => void kept.set(micro, values),
    };
  };
  const groups = [group.parse({ pattern: '.', optimizer: 'adamw', lr: config.lr, betas: config.betas })];
  return {
    term,
    adversary: () => ({
      specs: scope.specs,
      tensors: scope.tensors,
      values: initialValues(scope.specs, seed + 1),
      groups,
      start: config.start,
      buckets: opposing,
    }),
  };
}

/** Weight of the generator's term at `step` (0-based): none before the start, then rising over the ramp. */
export function weightAt({ weight, start, ramp }: AdversarialConfig, step: number): number {
  return step < start ? 0 : weight * Math.min(1, (step - start + 1) / Math.max(1, ramp));
}

function opposingBucket(
  judge: (pairs: Tensor) => Tensor,
  options: {
    shape: readonly number[];
    share: number;
    batch: number;
    frames: number;
    kept: ReadonlyMap<number, Values>;
  },
): Bucket {
  const { shape, share, batch, frames, kept } = options;
  const [real, made] = [judge(input('real', shape)), judge(input('made', shape))];
  return {
    name: `${frames}x${shape[2]}`,
    weight: share,
    samples: batch,
    losses: { loss: hingeLoss(real, made), gap: sub(generatorLoss(made), generatorLoss(real)) },
    batch: (_, micro) => kept.get(micro)!,
  };
}
