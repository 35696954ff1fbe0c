/**
 * The smallest thing that trains: two layers that fit a fixed function, data a function of the step. For tests of the loop.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gaussian } from '../../src/diffusion/noise.ts';
import { linear } from '../../src/nn/linear.ts';
import { Scope } from '../../src/nn/scope.ts';
import { float32, floats } from '../../src/runtime/value.ts';
import { input, mean, square, sub, tanh } from '../../src/tensor/index.ts';
import type { TrainingConfig } from '../../src/train/config.ts';
import type { Bucket } from '../../src/train/gradients.ts';
import type { Metrics } from '../../src/train/metrics.ts';
import { initialValues } from '../../src/train/parameters.ts';
import type { Task } from '../../src/train/trainer.ts';

export type ToyOptions = {
  width?: number;
  /** Samples of each bucket, and what part of the loss it is. */
  buckets?: readonly { batch: number; weight: number }[];
  accumulate?: number;
  /** Sees every batch that is asked for, and may spoil it. */
  onBatch?: (step: number, x: Float32Array) => void;
  score?: (step: number) => number;
};

/** Sample i of the stream is the same whatever the batch size, so that batches of different sizes share their data. */
export function toyTask(options: ToyOptions = {}): Task {
  const { width = 6, buckets = [{ batch: 4, weight: 1 }], accumulate = 1, onBatch = () => {}, score } = options;
  const scope = new Scope({ training: true });
  const first = linear(scope.at('first'), [3, width]);
  const second = linear(scope.at('second'), [width, 2]);
  const bucketOf = ({ batch, weight }: { batch: number; weight: number }, index: number): Bucket => {
    const x = input('x', [batch, 3]);
    const hidden = tanh(first(x));
    const loss = mean(square(sub(second(hidden), input('y', [batch, 2]))));
    return {
      name: `b${index}`,
      weight,
      samples: batch,
      losses: { loss },
      kept: [hidden],
      batch(step, micro) {
        const at = { seed: 9, stream: index, length: batch * 3, offset: (step * accumulate + micro) * batch * 3 };
        const data = gaussian(at);
        onBatch(step, data);
        const target = Float32Array.from({ length: batch * 2 }, (_, i) => Math.sin(data[(i >> 1) * 3 + (i & 1)]!));
        return { x: float32(data, [batch, 3]), y: float32(target, [batch, 2]) };
      },
    };
  };
  const made = buckets.map(bucketOf);
  return {
    specs: scope.specs,
    tensors: scope.tensors,
    values: initialValues(scope.specs, 3),
    buckets: async () => made,
    async validate(weights, _, step) {
      const total = [...weights.values()].reduce((sum, value) => sum + floats(value).reduce((a, b) => a + b * b, 0), 0);
      return { score: score?.(step) ?? -total, figures: {} };
    },
    async save(weights, folder) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(path.join(folder, 'weights.json'), JSON.stringify([...weights.keys()]));
    },
  };
}

/** A config of the loop alone, with two groups. */
export const toyConfig = (out: string, change: Partial<TrainingConfig> = {}): TrainingConfig =>
  ({
    name: 'toy',
    seed: 0,
    out,
    data: '',
    steps: 6,
    accumulate: 1,
    groups: [
      group({ pattern: 'weight$', optimizer: 'muon', lr: 0.02 }),
      group({ pattern: '.', optimizer: 'adamw', lr: 0.01 }),
    ],
    clip: 1,
    explodes: 10,
    ema: 0.9,
    schedule: { warmup: 2, flat: 0.5, decay: 'cosine', final: 0.1 },
    recompute: false,
    threads: 1,
    checkpointMinutes: 60,
    validateSteps: 3,
    logSteps: 1,
    ...change,
  }) as TrainingConfig;

export const group = (change: object) => ({
  pattern: '.',
  optimizer: 'adamw' as const,
  lr: 0.01,
  weightDecay: 0.01,
  betas: [0.9, 0.99] as [number, number],
  eps: 1e-8,
  momentum: 0.9,
  scale: 'rms' as const,
  split: 1,
  lastTap: false,
  ...change,
});

export const silent: Metrics = {
  begin() {},
  data() {},
  step() {},
  validated() {},
  stopped() {},
  aside: (work) => work(),
};

export const stateOf = (out: string): string => path.join(out, 'toy', 'state.safetensors');
export const hasModel = (out: string, name: string): boolean => existsSync(path.join(out, 'toy', name, 'weights.json'));
