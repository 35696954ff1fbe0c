/**
 * A second objective in a run's loop: parameters of its own, which learn one step after each step of the task, from what that
 * step made. Its weights and moments are part of the run's state, so that it resumes like the rest. Knows no network.
 */
import type { ParameterSpec } from '../nn/scope.ts';
import type { Device } from '../runtime/device.ts';
import type { Value, Values } from '../runtime/value.ts';
import type { Tensor } from '../tensor/index.ts';
import type { GroupConfig } from './config.ts';
import { type Bucket, createGradients } from './gradients.ts';
import { createOptimizer } from './optimizer.ts';
import { type Parameter, trainedParameters } from './parameters.ts';

export type Adversary = {
  /** Names that no parameter of the task has: both are fed to the task's graphs. */
  readonly specs: ReadonlyMap<string, ParameterSpec>;
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly values: ReadonlyMap<string, Value>;
  readonly groups: readonly GroupConfig[];
  /** Steps of the task before it begins to learn. */
  readonly start: number;
  /** Loss graphs; their batches are what the task's step has made just before. */
  readonly buckets: readonly Bucket[];
};

export interface Opponent {
  /** Learns from step `step` of the task (1-based); nothing before its start. Figures are named `adversary.…`. */
  step(
    weights: Values,
    at: { step: number; rate: number },
  ): Promise<{ figures: Record<string, number>; flops: number } | undefined>;
  dispose(): Promise<void>;
}

/** What it trains, with room for gradients and moments; the run's state holds them. */
export const opposedParameters = ({ specs, values, groups }: Adversary): Parameter[] =>
  trainedParameters(specs, values, { groups, average: false });

/** Compiles its backward pass and its update. */
export async function createOpponent(
  { buckets, tensors, start }: Adversary,
  parameters: readonly Parameter[],
  options: { device: Device; threads?: number | undefined; accumulate: number; clip: number },
): Promise<Opponent> {
  const { device, threads, accumulate, clip } = options;
  const gradients = await createGradients({
    buckets,
    tensors,
    parameters,
    accumulate,
    recompute: false,
    device,
    threads,
  });
  const optimizer = await createOptimizer(parameters, { device, threads });
  return {
    async step(weights, { step, rate }) {
      if (step <= start) return undefined;
      const { figures, norm, flops } = await gradients.accumulate(weights, step - 1);
      await optimizer.step({ rate, clip: Math.min(1, clip / norm), step: step - start });
      const named = Object.entries({ ...figures, gradientNorm: norm }).map(([name, x]) => [`adversary.${name}`, x]);
      return { figures: Object.fromEntries(named), flops: flops + optimizer.flops };
    },
    async dispose() {
      await Promise.all([gradients.dispose(), optimizer.dispose()]);
    },
  };
}
