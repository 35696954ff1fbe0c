/**
 * A training step as the trainer takes it, over any loss: one session for loss and gradients, another for AdamW in place.
 */
import type { Scope } from '../../src/nn/scope.ts';
import { compile } from '../../src/runtime/compile.ts';
import { floats, type Value, type Values } from '../../src/runtime/value.ts';
import { grad, type Tensor } from '../../src/tensor/index.ts';
import { createOptimizer } from '../../src/train/optimizer.ts';
import { trainedParameters } from '../../src/train/parameters.ts';

export type TrainingStep = {
  /** Loss and gradients, for counting arithmetic. */
  readonly graph: readonly Tensor[];
  /** Forward, backward and update; returns the loss before the update. */
  run(feeds: Values): Promise<Float32Array>;
  dispose(): Promise<void>;
};

const ADAMW = { pattern: '.', optimizer: 'adamw', lr: 1e-6, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0 } as const;

export async function trainingStep(parts: {
  scope: Scope;
  loss: Tensor;
  values: Map<string, Value>;
  threads: number;
}): Promise<TrainingStep> {
  const { scope, loss, values, threads } = parts;
  const group = {
    ...ADAMW,
    betas: [...ADAMW.betas] as [number, number],
    momentum: 0.9,
    scale: 'rms' as const,
    split: 1,
    lastTap: false,
  };
  const parameters = trainedParameters(scope.specs, values, { groups: [group], average: false });
  const gradients = grad(
    loss,
    parameters.map((p) => scope.tensors.get(p.name)!),
  );
  const outputs = { loss, ...Object.fromEntries(parameters.map((p, i) => [`gradient:${p.name}`, gradients[i]!])) };
  const into = Object.fromEntries(parameters.map((p) => [`gradient:${p.name}`, p.gradient]));
  const backward = await compile<string>(outputs, { device: 'cpu', threads });
  const optimizer = await createOptimizer(parameters, { device: 'cpu', threads });
  let step = 0;
  return {
    graph: Object.values(outputs),
    async run(feeds) {
      const results = await backward.run({ ...Object.fromEntries(values), ...feeds }, into);
      await optimizer.step({ rate: 1, clip: 1, step: ++step });
      return Float32Array.of(floats(results['loss'])[0]!);
    },
    async dispose() {
      await Promise.all([backward.dispose(), optimizer.dispose()]);
    },
  };
}
