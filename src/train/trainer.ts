/**
 * The loop of every training run: gradients, clipping, update, averages, validation, checkpoints, metrics.
 * Knows no model: a task gives the graph of its loss, its batches and its validation.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { DataReport } from '../data/clip-source.ts';
import { StepVideoError } from '../errors.ts';
import type { ParameterSpec } from '../nn/scope.ts';
import type { Device } from '../runtime/device.ts';
import type { Value, Values } from '../runtime/value.ts';
import type { Tensor } from '../tensor/index.ts';
import { hasState, type Position, restoreState, saveState } from './checkpoint.ts';
import type { TrainingConfig } from './config.ts';
import { writingErrors } from './disk.ts';
import { type Bucket, createGradients, type Passes } from './gradients.ts';
import type { Metrics } from './metrics.ts';
import { createOptimizer } from './optimizer.ts';
import { trainedParameters } from './parameters.ts';
import { learningRateFactor } from './schedule.ts';

/** Every weight of a model by name: averages where the run keeps them. */
export type Weights = ReadonlyMap<string, Value>;

export type Task = {
  readonly specs: ReadonlyMap<string, ParameterSpec>;
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly values: Map<string, Value>;
  /** Loss graphs and data; asked for once everything that can be wrong with the run has been checked. */
  buckets(signal: AbortSignal | undefined): Promise<readonly Bucket[]>;
  /** What of the data is used, once the buckets are there; nothing where clips are made. */
  data?(): DataReport | undefined;
  /** Known once the buckets are; every bucket runs alike where absent. */
  passes?(): Passes | undefined;
  /** Score to maximise on held-out data, with figures to report and perhaps pictures written into `folder`. */
  validate(weights: Weights, folder: string, step: number): Promise<{ score: number; figures: Record<string, number> }>;
  /** Draws what the model makes now into `folder`, every so many steps. */
  readonly samples?: { readonly every: number; draw(weights: Weights, folder: string, step: number): Promise<void> };
  /** Writes the weights as part of a model directory, all of it or nothing. */
  save(weights: Weights, folder: string): Promise<void>;
  dispose?(): Promise<void>;
};

export type RunOptions = { device: Device; metrics: Metrics; signal?: AbortSignal | undefined };

/**
 * Trains to the end, going on from the run's folder where it holds a state; a run that is done is left as it is.
 * Returns that folder.
 * @throws numeric error at the first step whose loss or gradient is not finite, nothing of which is saved; aborted error
 * once `signal` has fired and the state is saved; environment error where nothing can be written.
 */
export async function train(task: Task, config: TrainingConfig, options: RunOptions): Promise<string> {
  const { device, metrics, signal } = options;
  const { threads, steps } = config;
  const folder = path.join(config.out, config.name);
  const parameters = trainedParameters(task.specs, task.values, {
    groups: config.groups,
    average: config.ema !== undefined,
  });
  const state = { parameters, values: task.values };
  const position: Position = hasState(folder)
    ? await restoreState(folder, state)
    : { step: 0, seconds: 0, best: undefined };
  await writingErrors(folder, () => mkdir(folder, { recursive: true }));
  if (position.step >= steps && existsSync(path.join(folder, 'last'))) return folder;

  const { tensors } = task;
  const { accumulate, recompute } = config;
  const buckets = await task.buckets(signal);
  const passes = task.passes?.();
  const gradients = await createGradients({
    buckets,
    passes,
    tensors,
    parameters,
    accumulate,
    recompute,
    device,
    threads,
  });
  const optimizer = await createOptimizer(parameters, { device, averageDecay: config.ema, threads });
  const weights: Values = Object.fromEntries(task.values);
  const started = performance.now();
  const seconds = (): number => position.seconds + (performance.now() - started) / 1000;
  let { step, best } = position;

  const current = (): Weights => {
    const averaged = parameters.flatMap((p) => (p.average ? [[p.name, p.average] as const] : []));
    return new Map([...task.values, ...averaged]);
  };
  const save = (): Promise<void> => saveState(folder, { ...state, position: { step, seconds: seconds(), best } });
  const publish = (name: string): Promise<void> =>
    writingErrors(folder, () => task.save(current(), path.join(folder, name)));
  const validate = async (): Promise<void> => {
    const { score, figures } = await task.validate(current(), folder, step);
    requireFinite('score', score, { step, folder });
    metrics.validated({ step, seconds: seconds(), score, ...figures });
    if (best !== undefined && score <= best) return;
    best = score;
    await publish('best');
  };

  /** What is not a training step: where it fails, the steps so far are kept, unless their numbers are what failed. */
  const aside = (work: () => Promise<void>): Promise<void> =>
    metrics.aside(work).catch(async (error: unknown) => {
      if (!(error instanceof StepVideoError && error.kind === 'numeric')) await save().catch(() => {});
      throw error;
    });

  let lastSave = performance.now();
  metrics.begin(position.step);
  const data = task.data?.();
  if (data !== undefined) metrics.data({ step: position.step, ...data });
  try {
    while (step < steps && !signal?.aborted) {
      const { figures, norm, samples, flops } = await gradients.accumulate(weights, step);
      requireFinite('loss', figures['loss'], { step: step + 1, folder });
      requireFinite('gradient norm', norm, { step: step + 1, folder });
      const rate = learningRateFactor(step, steps, config.schedule);
      step += 1;
      await optimizer.step({ rate, clip: Math.min(1, config.clip / norm), step });
      metrics.step({
        step,
        steps,
        seconds: seconds(),
        samples,
        flops: flops + optimizer.flops,
        rate,
        gradientNorm: norm,
        ...figures,
      });
      const isLast = step === steps;
      if (step % config.validateSteps === 0 || isLast) await aside(validate);
      const { samples: drawn } = task;
      if (drawn !== undefined && (step % drawn.every === 0 || isLast))
        await aside(() => drawn.draw(current(), folder, step));
      if (performance.now() - lastSave > config.checkpointMinutes * 60_000) {
        await metrics.aside(save);
        lastSave = performance.now();
      }
      await pendingEvents();
    }
    await save();
    await publish('last');
  } finally {
    await Promise.all([gradients.dispose(), optimizer.dispose(), task.dispose?.()]);
  }
  if (step < steps)
    throw new StepVideoError(
      'aborted',
      'train',
      `stopped after step ${step} of ${steps}`,
      undefined,
      'the same command, which goes on from there',
    );
  return folder;
}

function requireFinite(
  what: string,
  value: number | undefined,
  { step, folder }: { step: number; folder: string },
): void {
  if (Number.isFinite(value)) return;
  const kept = hasState(folder) ? `; ${folder} holds the last good state` : '';
  throw new StepVideoError(
    'numeric',
    `train step ${step}`,
    `${what} must be finite`,
    value,
    `a lower learning rate${kept}`,
  );
}

/** Lets timers and signals run: networks hold the thread while they compute. */
async function pendingEvents(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate);
}
