/**
 * The denoiser's buckets under `balance`: their batches by arithmetic, and which of them run in each step.
 * Knows what a velocity costs; the plan itself is balance.ts's.
 */
import { velocityFlops } from '../machine/graph-flops.ts';
import { balancedSteps, coarseBatch } from './balance.ts';
import type { DitTraining } from './config.ts';
import type { Passes } from './gradients.ts';
import type { JointConfigs } from './model-folder.ts';

export type BalancedBuckets = {
  /** Samples in a batch of each bucket. */
  readonly batches: readonly number[];
  readonly passes: Passes;
  /** No bucket runs more often than this in a step. */
  readonly most: number;
};

type Parts = Pick<DitTraining, 'seed' | 'textTokens' | 'model'> & {
  readonly balance: NonNullable<DitTraining['balance']>;
  /** Latents of one sample of each bucket, [F, z, h, w]. */
  readonly shapes: readonly (readonly number[])[];
  readonly configs: JointConfigs;
};

/** The backward pass costs about twice the forward one. */
const TRAINING_FACTOR = 3;

/** There must be one bucket of stills and one of clips at least, which the config's check makes sure of. */
export function balancedBuckets(buckets: DitTraining['buckets'], parts: Parts): BalancedBuckets {
  const { balance, shapes, configs, seed, textTokens, model } = parts;
  const still = buckets.findIndex(({ frames }) => frames === 1);
  const clips = buckets.flatMap(({ frames }, i) => (frames === 1 ? [] : [i]));
  const costs = shapes.map((shape) => {
    const [frames, channels, height, width] = shape as readonly [number, number, number, number];
    const text = { llm: textTokens, clip: model.clipTokens };
    return (
      TRAINING_FACTOR *
      velocityFlops(configs.transformer, { batch: 1, shape: { frames, channels, height, width }, text })
    );
  });
  const aim = balance.gflops * 1e9;
  const batches = buckets.map(({ batch }, i) => (i === still ? batch : Math.min(batch, coarseBatch(aim, costs[i]!))));
  const sized = (i: number) => ({ flops: batches[i]! * costs[i]!, samples: batches[i]! });
  const plan = balancedSteps({
    clips: clips.map((i) => ({ ...sized(i), weight: buckets[i]!.weight })),
    still: sized(still),
    ratio: balance.stills,
    window: balance.window,
    seed,
  });
  const largest = Math.max(...clips.map((i) => batches[i]!));
  const most = Math.max(1, Math.ceil((largest * balance.window * balance.stills) / batches[still]!));
  return {
    batches,
    most,
    passes(step) {
      const chosen = plan(step);
      return buckets.map((_, i) => (i === still ? chosen.stills : Number(clips[chosen.clip] === i)));
    },
  };
}
