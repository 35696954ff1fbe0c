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
import { type Adversary, createOpponent, opposedParameters } from './adversary.ts';
import { hasState, type Position, restoreState, saveState } from './checkpoint.ts';
import type { TrainingConfig } from './config.ts';
import { configChanges, keepConfig, keptConfig } from './config-record.ts';
import { writingErrors } from './disk.ts';
import { type ExplosionWatch, explosionWatch, PATIENCE } from './explosion.ts';
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
  /** A second objective that learns in alternation, one step after each of the task's own. */
  readonly adversary?: Adversary;
  dispose?(): Promise<void>;
};

export type RunOptions = {
  device: Device;
  metrics: Metrics;
  signal?: AbortSignal | undefined;
  /** Runs after every validation and grid of samples. */
  onResults?: () => Promise<void>;
};

/**
 * Trains to the end, going on from the run's folder where it holds a state; a run that is done is left as it is.
 * Returns that folder.
 * @throws numeric error at the first step whose loss or gradient is not finite, or once the loss stays above `explodes` times
 * its running median, nothing of which is saved; aborted error once `signal` has fired and the state is saved; environment
 * error where nothing can be written.
 */
export async function train(task: Task, config: TrainingConfig, options: RunOptions): Promise<string> {
  const { device, metrics, signal, onResults = async () => {} } = options;
  const { threads, steps } = config;
  const folder = path.join(config.out, config.name);
  const parameters = trainedParameters(task.specs, task.values, {
    groups: config.groups,
    average: config.ema !== undefined,
  });
  const opposed = task.adversary && opposedParameters(task.adversary);
  const state = {
    parameters: [...parameters, ...(opposed ?? [])],
    values: new Map([...task.values, ...(task.adversary?.values ?? [])]),
  };
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
  const opponent = task.adversary && (await createOpponent(task.adversary, opposed!, { ...config, device }));
  const weights: Values = Object.fromEntries(state.values);
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

  const watch = explosionWatch(config.explodes);
  let lastSave = performance.now();
  const before = await keptConfig(folder);
  metrics.begin(step, before && configChanges(before, config));
  await keepConfig(folder, config);
  const data = task.data?.();
  if (data !== undefined) metrics.data({ step: position.step, ...data });
  try {
    while (step < steps && !signal?.aborted) {
      const { figures, norm, samples, flops, dataSeconds } = await gradients.accumulate(weights, step);
      const loss = figures['loss'] ?? Number.NaN;
      requireFinite('loss', loss, { step: step + 1, folder });
      requireFinite('gradient norm', norm, { step: step + 1, folder });
      requireSteady(watch, loss, { step: step + 1, folder, factor: config.explodes });
      const rate = learningRateFactor(step, steps, config.schedule);
      step += 1;
      await optimizer.step({ rate, clip: Math.min(1, config.clip / norm), step });
      const against = await opponent?.step(weights, { step, rate });
      if (against) requireFinite('adversary loss', against.figures['adversary.loss'] ?? Number.NaN, { step, folder });
      const work = flops + optimizer.flops + (against?.flops ?? 0);
      const measured = { seconds: seconds(), samples, flops: work, dataSeconds, rate, gradientNorm: norm };
      metrics.step({ step, steps, ...measured, ...figures, ...against?.figures });
      const isLast = step === steps;
      const isValidated = step % config.validateSteps === 0 || isLast;
      if (isValidated) await aside(validate);
      const { samples: drawn } = task;
      const isDrawn = drawn !== undefined && (step % drawn.every === 0 || isLast);
      if (isDrawn) await aside(() => drawn.draw(current(), folder, step));
      if (isValidated || isDrawn) await metrics.aside(onResults);
      if (performance.now() - lastSave > config.checkpointMinutes * 60_000 && !watch.isHigh) {
        await metrics.aside(save);
        lastSave = performance.now();
      }
      await pendingEvents();
    }
    // Who stops a run because its loss rises wants the state from before that.
    if (step === steps || !watch.isHigh) {
      await save();
      await publish('last');
    }
  } finally {
    await Promise.all([gradients.dispose(), optimizer.dispose(), opponent?.dispose(), task.dispose?.()]);
  }
  if (step < steps)
    throw new StepVideoError(
      'aborted',
      'train',
      `stopped after step ${step} of ${steps}`,
      undefined,
      `the same command, which goes on from ${watch.isHigh ? 'the state before the loss rose' : 'there'}`,
    );
  return folder;
}

function requireFinite(what: string, value: number, { step, folder }: { step: number; folder: string }): void {
  if (!Number.isFinite(value)) throw spoilt(`${what} must be finite`, value, { step, folder });
}

function requireSteady(
  watch: ExplosionWatch,
  loss: number,
  { step, folder, factor }: { step: number; folder: string; factor: number },
): void {
  const explosion = watch.see(loss);
  if (explosion === undefined) return;
  const rule = `loss must stay below ${factor} times its running median of ${explosion.median.toPrecision(3)}`;
  throw spoilt(`${rule}, and was above for ${PATIENCE} steps`, loss, { step, folder });
}

function spoilt(rule: string, got: unknown, { step, folder }: { step: number; folder: string }): StepVideoError {
  const kept = hasState(folder) ? `; ${folder} holds the last good state` : '';
  return new StepVideoError('numeric', `train step ${step}`, rule, got, `a lower learning rate${kept}`);
}

/** Lets timers and signals run: networks hold the thread while they compute. */
async function pendingEvents(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate);
}
