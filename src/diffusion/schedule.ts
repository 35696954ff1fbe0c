/**
 * The times of the sampler: t runs from 0 (noise) to 1 (data), bent by the time shift.
 * Does not know about models or latents.
 */
import { inputError } from '../errors.ts';

const f32 = Math.fround;

/** `steps` Euler steps; `timeShift` > 1 spends more of them near the noise. */
export type ScheduleOptions = { steps: number; timeShift: number };

/**
 * Time points, float32 [steps + 1], from 0 to 1: t = 1 - s·σ / (1 + (s-1)·σ) with σ falling linearly from 1 to 0.
 * Every rounding is that of the official fp32 code (σ is filled from both ends with fused multiply-add), so the
 * values are equal to the bit.
 * @throws input error when steps is not a positive integer or timeShift not a positive finite number.
 */
export function schedule({ steps, timeShift }: ScheduleOptions): Float32Array {
  if (!Number.isSafeInteger(steps) || steps < 1)
    throw inputError('schedule', 'steps must be an integer of at least 1', steps);
  if (!Number.isFinite(timeShift) || timeShift <= 0)
    throw inputError('schedule', 'timeShift must be above 0', timeShift);
  const increment = f32(-1 / steps);
  const middle = (steps + 1) >> 1;
  const times = new Float32Array(steps + 1);
  // Where timeShift is no integer, rounding leaves the first point a hair off 0; the ends are what they mean.
  times[steps] = 1;
  for (let i = 1; i < steps; i++) {
    const sigma = i < middle ? f32(1 + increment * i) : f32(0 - increment * (steps - i));
    times[i] = f32(1 - shiftSigma(sigma, timeShift));
  }
  return times;
}

/** s·σ / (1 + (s-1)·σ) with fp32 roundings; maps 0 to 0 and 1 to 1 within one rounding. */
export function shiftSigma(sigma: number, timeShift: number): number {
  return f32(f32(f32(timeShift) * sigma) / f32(1 + f32(f32(timeShift - 1) * sigma)));
}
