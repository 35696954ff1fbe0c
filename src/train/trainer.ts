/**
 * The loop of every training run: batches in, gradients, clipping, update, averages, validation, checkpoints, metrics.
 * Knows no model: a task gives the graph of its loss, its batches and its validation.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { StepVideoError } from '../errors.ts';
import type { ParameterSpec } from '../nn/scope.ts';
import { compile, type Executable } from '../runtime/compile.ts';
import type { Device } from '../runtime/device.ts';
import { floats, type Value, type Values } from '../runtime/value.ts';
import { add, grad, sqrt, square, sum, type Tensor } from '../tensor/index.ts';
import { hasState, type Position, restoreState, saveState } from './checkpoint.ts';
import type { TrainingConfig } from './config.ts';
import type { Metrics } from './metrics.ts';
import { createOptimizer } from './optimizer.ts';
import { type Parameter, trainedParameters } from './parameters.ts';
import { learningRateFactor } from './schedule.ts';

/** One shape of batch: its loss graph, built once, and its data, a function of the step. */
export type Bucket = {
  readonly name: string;
  readonly weight: number;
  readonly samples: number;
  /** Scalars to report, `loss` among them; only `loss` is differentiated. */
  readonly losses: Readonly<Record<string, Tensor>> & { readonly loss: Tensor };
  batch(step: number, micro: number): Values | Promise<Values>;
};

export type Task = {
  readonly specs: ReadonlyMap<string, ParameterSpec>;
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly values: Map<string, Value>;
  readonly buckets: readonly Bucket[];
  /** Score to maximise on held-out data, with figures to report and perhaps pictures written into `folder`. */
  validate(
    weights: ReadonlyMap<string, Value>,
    folder: string,
    step: number,
  ): Promise<{ score: number; figures: Record<string, number> }>;
  /** Writes the weights as part of a model directory. */
  save(weights: ReadonlyMap<string, Value>, folder: string): Promise<void>;
};

export type RunOptions = { device: Device; metrics: Metrics; signal?: AbortSignal | undefined };

/** Trains to the end or to the abort signal; resumes from the run's folder where it holds a state. Returns that folder. */
export async function train(task: Task, config: TrainingConfig, options: RunOptions): Promise<string> {
  const { device, metrics, signal } = options;
  const folder = path.join(config.out, config.name);
  await mkdir(folder, { recursive: true });
  const parameters = trainedParameters(task.specs, task.values, {
    groups: config.groups,
    average: config.ema !== undefined,
  });
  const state = { parameters, values: task.values };
  let position: Position = { step: 0, seconds: 0, best: undefined };
  if (hasState(folder)) position = await restoreState(folder, state);

  const backward = await Promise.all(
    task.buckets.map((b) => compileBackward(b, task, parameters, { device, threads: config.threads })),
  );
  const optimizer = await createOptimizer(parameters, { device, averageDecay: config.ema, threads: config.threads });
  const weights: Values = Object.fromEntries(task.values);
  const started = performance.now();
  const seconds = (): number => position.seconds + (performance.now() - started) / 1000;
  let best = position.best;
  let lastSave = performance.now();

  const current = (): ReadonlyMap<string, Value> => {
    const averaged = parameters.flatMap((p) => (p.average ? [[p.name, p.average] as const] : []));
    return new Map([...task.values, ...averaged]);
  };
  const validate = async (step: number): Promise<void> => {
    const { score, figures } = await task.validate(current(), folder, step);
    metrics.validated({ step, seconds: seconds(), score, ...figures });
    if (best !== undefined && score <= best) return;
    best = score;
    await task.save(current(), path.join(folder, 'best'));
  };

  let step = position.step;
  try {
    for (; step < config.steps && !signal?.aborted; step++) {
      const losses = await accumulateGradients(backward, { weights, step, accumulate: config.accumulate, parameters });
      const norm = losses.gradientNorm;
      if (!Number.isFinite(losses.figures['loss']) || !Number.isFinite(norm))
        throw new StepVideoError(
          'numeric',
          `train step ${step}`,
          'loss and gradient norm must be finite',
          `${losses.figures['loss']} and ${norm}`,
          `a lower learning rate; the last good state is in ${folder}`,
        );
      const rate = learningRateFactor(step, config.steps, config.schedule);
      await optimizer.step({ rate, clip: Math.min(1, config.clip / norm), step: step + 1 });
      metrics.step({
        step: step + 1,
        steps: config.steps,
        seconds: seconds(),
        samples: losses.samples,
        rate,
        gradientNorm: norm,
        ...losses.figures,
      });
      if ((step + 1) % config.validateSteps === 0 || step + 1 === config.steps) await validate(step + 1);
      if (performance.now() - lastSave > config.checkpointMinutes * 60_000) {
        await saveState(folder, { ...state, position: { step: step + 1, seconds: seconds(), best } });
        lastSave = performance.now();
      }
    }
    await saveState(folder, { ...state, position: { step, seconds: seconds(), best } });
    await task.save(current(), path.join(folder, 'last'));
  } finally {
    await Promise.all([...backward.map((b) => b.executable.dispose()), optimizer.dispose()]);
  }
  return folder;
}

type Backward = { bucket: Bucket; executable: Executable };

async function compileBackward(
  bucket: Bucket,
  task: Task,
  parameters: readonly Parameter[],
  options: { device: Device; threads: number | undefined },
): Promise<Backward> {
  const targets = parameters.map((p) => task.tensors.get(p.name) as Tensor);
  const gradients = grad(bucket.losses.loss, targets);
  const outputs: Record<string, Tensor> = {};
  for (const [name, tensor] of Object.entries(bucket.losses)) outputs[`loss:${name}`] = tensor;
  gradients.forEach((g, i) => {
    outputs[`gradient:${(parameters[i] as Parameter).name}`] = g;
  });
  outputs['norm'] = sqrt(gradients.map((g) => sum(square(g))).reduce((a, b) => add(a, b)));
  return { bucket, executable: await compile(outputs, options) };
}

/** Runs every bucket `accumulate` times; parameters' gradients hold the weighted mean afterwards. */
async function accumulateGradients(
  backward: readonly Backward[],
  run: { weights: Values; step: number; accumulate: number; parameters: readonly Parameter[] },
): Promise<{ figures: Record<string, number>; gradientNorm: number; samples: number }> {
  const total = backward.reduce((s, b) => s + b.bucket.weight, 0) * run.accumulate;
  const figures: Record<string, number> = {};
  let samples = 0;
  let norm = 0;
  const passes = backward.length * run.accumulate;
  for (const { bucket, executable } of backward)
    for (let micro = 0; micro < run.accumulate; micro++) {
      const single = passes === 1;
      const into: Record<string, Value> = {};
      if (single) for (const p of run.parameters) into[`gradient:${p.name}`] = p.gradient;
      const results = await executable.run({ ...run.weights, ...(await bucket.batch(run.step, micro)) }, into);
      const share = bucket.weight / total;
      if (!single) addGradients(run.parameters, results, share, samples === 0);
      else norm = floats(results['norm'])[0] as number;
      samples += bucket.samples;
      for (const name of Object.keys(bucket.losses)) {
        const value = floats(results[`loss:${name}`])[0] as number;
        figures[name] = (figures[name] ?? 0) + value * share;
        if (backward.length > 1) figures[`${bucket.name}.${name}`] = value;
      }
    }
  if (passes > 1) norm = globalNorm(run.parameters);
  return { figures, gradientNorm: norm, samples };
}

function addGradients(parameters: readonly Parameter[], results: Values, share: number, first: boolean): void {
  for (const p of parameters) {
    const from = floats(results[`gradient:${p.name}`]);
    const to = p.gradient.data as Float32Array;
    if (first) for (let i = 0; i < to.length; i++) to[i] = (from[i] as number) * share;
    else for (let i = 0; i < to.length; i++) to[i] = (to[i] as number) + (from[i] as number) * share;
  }
}

function globalNorm(parameters: readonly Parameter[]): number {
  let total = 0;
  for (const p of parameters) {
    const data = p.gradient.data as Float32Array;
    for (let i = 0; i < data.length; i++) total += (data[i] as number) ** 2;
  }
  return Math.sqrt(total);
}
