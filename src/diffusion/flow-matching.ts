/**
 * The training side of the sampler: noised inputs, velocity targets and the density of training times.
 * Plain arithmetic on arrays; does not know the model, the loss graph or the optimizer.
 *
 * Report equations 5-7: X0 is noise, X1 data, X_t = (1-t)·X0 + t·X1, V = X1 - X0.
 */
import { inputError } from '../errors.ts';
import { gaussian, uniform } from './noise.ts';
import { shiftSigma } from './schedule.ts';

/** How training times are drawn: flat on [0, 1], or the logistic of a normal variable (Esser et al. 2024). */
export type TimeDensity =
  | { kind: 'uniform'; timeShift?: number }
  | { kind: 'logit-normal'; mean?: number; deviation?: number; timeShift?: number };

/** `data` and `noise` float32 [batch, …] flat with equal lengths; `times` float32 [batch]. */
export type FlowPair = { data: Float32Array; noise: Float32Array; times: Float32Array };

/**
 * The model's input and its target for each sample of a batch.
 * @returns `noised` = (1-t)·noise + t·data and `velocity` = data - noise, both shaped like `data`.
 * @throws input error when the lengths do not fit each other.
 */
export function flowMatching({ data, noise, times }: FlowPair): { noised: Float32Array; velocity: Float32Array } {
  const batch = times.length;
  if (data.length !== noise.length || batch === 0 || data.length % batch !== 0) {
    throw inputError('flowMatching', 'data and noise must have equal lengths that the number of times divides', [
      data.length,
      noise.length,
      batch,
    ]);
  }
  const size = data.length / batch;
  const noised = new Float32Array(data.length);
  const velocity = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const t = times[Math.floor(i / size)]!;
    noised[i] = Math.fround(Math.fround(1 - t) * noise[i]!) + Math.fround(t * data[i]!);
    velocity[i] = data[i]! - noise[i]!;
  }
  return { noised, velocity };
}

/**
 * Training times, float32 [length] in [0, 1], a pure function of (seed, stream, offset + i).
 * `timeShift` > 1 moves mass towards t = 0, the noise, exactly as it moves the sampler's schedule.
 */
export function drawTimes(
  density: TimeDensity,
  draw: { seed: number; length: number; offset?: number; stream?: number },
): Float32Array {
  const times = density.kind === 'uniform' ? uniform(draw) : gaussian(draw);
  const { timeShift = 1 } = density;
  if (!Number.isFinite(timeShift) || timeShift <= 0)
    throw inputError('drawTimes', 'timeShift must be above 0', timeShift);
  for (let i = 0; i < times.length; i++) {
    const t =
      density.kind === 'uniform' ? times[i]! : logistic(times[i]! * (density.deviation ?? 1) + (density.mean ?? 0));
    times[i] = Math.min(1, Math.max(0, 1 - shiftSigma(Math.fround(1 - t), timeShift)));
  }
  return times;
}

const logistic = (x: number): number => 1 / (1 + Math.exp(-x));
