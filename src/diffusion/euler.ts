/**
 * The Euler sampler as an async generator: integrates a velocity from noise (t = 0) to data (t = 1).
 * Does not know which model makes the velocity, what the latents show, or who listens.
 */
import { inputError, internalError, StepVideoError } from '../errors.ts';

/** Velocity at time t of latents of one video, [F, C, h, w] flat → the same length. */
export type Velocity = (latents: Float32Array, t: number) => Promise<Float32Array>;

/**
 * `times` float32 [steps + 1] from `schedule`; `latents` are those at times[fromStep] and are left untouched.
 * `fromStep` counts the steps that `latents` have already been through.
 */
export type EulerOptions = {
  velocity: Velocity;
  latents: Float32Array;
  times: Float32Array;
  fromStep?: number;
  signal?: AbortSignal | undefined;
};

/**
 * One finished step. `step` is the number of steps done (1 … steps), so `{ latents, fromStep: step }` resumes here.
 * `t` is the time that `latents` have reached; `denoised` is the model's guess of the final latents.
 */
export type EulerStep = { step: number; t: number; latents: Float32Array; denoised: Float32Array };

/**
 * x += v·(t[i+1] - t[i]) in float32, one yield a step. Nothing is kept between steps but the latents, so a run resumed
 * from a yielded step gives the same values to the bit.
 * @throws numeric error naming the step when a value is not finite; aborted error between steps once `signal` fires.
 */
export async function* euler(options: EulerOptions): AsyncGenerator<EulerStep, void, void> {
  const { velocity, times, fromStep = 0, signal } = options;
  const steps = times.length - 1;
  if (!Number.isSafeInteger(fromStep) || fromStep < 0 || fromStep > steps) {
    throw inputError('euler', `fromStep must be an integer from 0 to ${steps}`, fromStep);
  }
  let latents = options.latents;
  requireFinite('latents', latents, fromStep, steps);
  for (let i = fromStep; i < steps; i++) {
    if (signal?.aborted) throw new StepVideoError('aborted', 'euler', `stopped after step ${i} of ${steps}`);
    const t = times[i]!;
    const v = await velocity(latents, t);
    if (v.length !== latents.length)
      throw internalError('euler', `velocity must have ${latents.length} values`, v.length);
    requireFinite('velocity', v, i + 1, steps);
    const denoised = advance(latents, v, Math.fround(1 - t));
    latents = advance(latents, v, Math.fround(times[i + 1]! - t));
    requireFinite('latents', latents, i + 1, steps);
    yield { step: i + 1, t: times[i + 1]!, latents, denoised };
  }
}

function advance(latents: Float32Array, velocity: Float32Array, dt: number): Float32Array {
  const out = new Float32Array(latents.length);
  for (let i = 0; i < out.length; i++) out[i] = latents[i]! + Math.fround(velocity[i]! * dt);
  return out;
}

function requireFinite(what: string, values: Float32Array, step: number, steps: number): void {
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return;
  throw new StepVideoError('numeric', 'euler', `${what} must be finite at step ${step} of ${steps}`, values[bad]);
}
