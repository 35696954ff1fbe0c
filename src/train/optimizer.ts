/**
 * One optimizer step as a graph of its own, writing weights, moments and averages into their own buffers.
 * It must not share a session with the backward pass, which may still read a weight after its update is ready.
 *
 * AdamW: Loshchilov and Hutter 2019. Muon: Jordan et al. 2024, orthogonalised momentum by Newton-Schulz iteration.
 */
import { inputError } from '../errors.ts';
import { compile, type Executable } from '../runtime/compile.ts';
import type { Device } from '../runtime/device.ts';
import { float32, type Value } from '../runtime/value.ts';
import {
  add,
  concat,
  dim,
  div,
  input,
  matmul,
  mul,
  pad,
  reshape,
  scalar,
  slice,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  transposeLast,
} from '../tensor/index.ts';
import type { Parameter } from './parameters.ts';

/** What changes from step to step; all scalars. `correction` is 1 - beta^step, an input for each beta that a group has. */
type StepInputs = { rate: Tensor; clip: Tensor; decay: Tensor; correction: (beta: number) => Tensor };

export type OptimizerStep = {
  /** Factor of every group's learning rate. */
  readonly rate: number;
  /** Factor of every gradient: clipping by global norm. */
  readonly clip: number;
  /** 1-based number of this step, for the bias corrections. */
  readonly step: number;
};

export interface Optimizer {
  /** Changes every parameter's own buffers by its gradient buffer. */
  step(step: OptimizerStep): Promise<void>;
  /** Arithmetic of one step. */
  readonly flops: number;
  dispose(): Promise<void>;
}

type Slots = Record<'weight' | 'gradient' | 'moment', Tensor> & { variance?: Tensor; average?: Tensor };

/** Compiles the update of `parameters`; `averageDecay` is that of their moving averages, where they keep one. */
export async function createOptimizer(
  parameters: readonly Parameter[],
  options: { device: Device; averageDecay?: number | undefined; threads?: number | undefined },
): Promise<Optimizer> {
  const corrections = new Map<number, Tensor>();
  const inputs: StepInputs = {
    rate: input('rate', []),
    clip: input('clip', []),
    decay: scalar(options.averageDecay ?? 0),
    correction(beta) {
      const known = corrections.get(beta) ?? input(`correction:${beta}`, []);
      corrections.set(beta, known);
      return known;
    },
  };
  const outputs: Record<string, Tensor> = {};
  const feeds: Record<string, Value> = {};
  const into: Record<string, Value> = {};
  for (const parameter of parameters) {
    const slots: Record<string, Tensor> = {};
    const bind = (slot: string, value: Value | undefined): void => {
      if (value === undefined) return;
      const name = `${slot}:${parameter.name}`;
      slots[slot] = input(name, value.shape);
      feeds[name] = value;
      if (slot !== 'gradient') into[name] = value;
    };
    bind('weight', parameter.value);
    bind('gradient', parameter.gradient);
    bind('moment', parameter.moment);
    bind('variance', parameter.variance);
    bind('average', parameter.average);
    const updated = update(parameter, slots as Slots, inputs);
    for (const [slot, tensor] of Object.entries(updated)) outputs[`${slot}:${parameter.name}`] = tensor;
  }
  const executable: Executable = await compile(outputs, { device: options.device, threads: options.threads });
  const one = (value: number): Value => float32(Float32Array.of(value), []);
  const flops = [...executable.costs.values()].reduce((n, cost) => n + cost.flops, 0);
  return {
    flops,
    async step({ rate, clip, step }) {
      const corrected = [...corrections.keys()].map((beta) => [`correction:${beta}`, one(1 - beta ** step)]);
      await executable.run({ ...feeds, rate: one(rate), clip: one(clip), ...Object.fromEntries(corrected) }, into);
    },
    dispose: () => executable.dispose(),
  };
}

function update(parameter: Parameter, slots: Slots, inputs: StepInputs): Record<string, Tensor> {
  const gradient = mul(slots.gradient, inputs.clip);
  const next =
    parameter.group.optimizer === 'muon'
      ? muon(parameter, slots, gradient, inputs)
      : adamw(parameter, slots, gradient, inputs);
  if (slots.average === undefined) return next;
  const moved = mul(sub(next['weight'] as Tensor, slots.average), sub(scalar(1), inputs.decay));
  return { ...next, average: add(slots.average, moved) };
}

function adamw({ group }: Parameter, slots: Slots, gradient: Tensor, inputs: StepInputs): Record<string, Tensor> {
  const [beta1, beta2] = group.betas;
  const rate = mul(inputs.rate, group.lr);
  const moment = add(mul(slots.moment, beta1), mul(gradient, 1 - beta1));
  const variance = add(mul(slots.variance as Tensor, beta2), mul(square(gradient), 1 - beta2));
  const spread = add(div(sqrt(variance), sqrt(inputs.correction(beta2))), group.eps);
  const step = mul(div(moment, spread), div(rate, inputs.correction(beta1)));
  return { weight: sub(decayed(slots.weight, rate, group.weightDecay), step), moment, variance };
}

const decayed = (weight: Tensor, rate: Tensor, weightDecay: number): Tensor =>
  weightDecay === 0 ? weight : mul(weight, sub(1, mul(rate, weightDecay)));

function muon({ name, group }: Parameter, slots: Slots, gradient: Tensor, inputs: StepInputs): Record<string, Tensor> {
  const rate = mul(inputs.rate, group.lr);
  const moment = add(mul(slots.moment, group.momentum), gradient);
  const nesterov = add(gradient, mul(moment, group.momentum));
  const seen =
    group.lastTap && nesterov.shape.length === 5 && nesterov.shape[2] === 3 ? slice(nesterov, 2, 2, 3) : nesterov;
  const rows = dim(seen.shape, 0);
  if (rows % group.split !== 0)
    throw inputError('train', `groups: split must divide the ${rows} rows of ${name}`, group.split);
  const matrix = reshape(seen, [rows, -1]);
  const height = rows / group.split;
  const parts = Array.from({ length: group.split }, (_, i) =>
    orthogonalize(slice(matrix, 0, i * height, (i + 1) * height)),
  );
  const columns = dim(matrix.shape, 1);
  const scale = group.scale === 'fan' ? Math.sqrt(height / columns) : 0.2 * Math.sqrt(Math.max(height, columns));
  const direction = reshape(mul(concat(parts, 0), scale), seen.shape);
  const whole = seen === nesterov ? direction : pad(direction, [0, 0, 2, 0, 0], [0, 0, 0, 0, 0]);
  return { weight: sub(decayed(slots.weight, rate, group.weightDecay), mul(whole, rate)), moment };
}

/** Coefficients that pull all singular values towards 1 in five steps (Jordan et al. 2024). */
const NEWTON_SCHULZ = [3.4445, -4.775, 2.0315] as const;

/** The nearest semi-orthogonal matrix, roughly: same singular vectors, singular values near 1. */
function orthogonalize(matrix: Tensor): Tensor {
  const [rows, columns] = matrix.shape as [number, number];
  const tall = rows > columns;
  let x = tall ? transposeLast(matrix) : matrix;
  x = div(x, add(sqrt(sum(square(x))), 1e-7));
  const [a, b, c] = NEWTON_SCHULZ;
  for (let i = 0; i < 5; i++) {
    const gram = matmul(x, transposeLast(x));
    const polynomial = add(mul(gram, b), mul(matmul(gram, gram), c));
    x = add(mul(x, a), matmul(polynomial, x));
  }
  return tall ? transposeLast(x) : x;
}
