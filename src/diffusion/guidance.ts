/**
 * Classifier-free guidance: wraps a model, never enters it.
 * Does not know how a model binds its text; the model it gets must hold [conditional, unconditional] in that order.
 */
import { internalError } from '../errors.ts';
import type { Velocity } from './euler.ts';

/**
 * A model with its text bound: latents float32 [batch, F, C, h, w] flat and time t → velocity of the same length.
 * Batch 2 means [conditional, unconditional]; batch 1 is the conditional one alone.
 */
export type BatchedVelocity = (latents: Float32Array, batch: 1 | 2, t: number) => Promise<Float32Array>;

/** Whether this scale needs the unconditional prediction at all. */
export const needsUnconditional = (scale: number): boolean => scale > 1;

/**
 * v = u + w·(c - u), each operation rounded to float32. At scale ≤ 1 the model runs on the conditional batch alone.
 * @returns a velocity over latents of one video, [F, C, h, w] flat.
 */
export function guided(model: BatchedVelocity, scale: number): Velocity {
  if (!needsUnconditional(scale)) return (latents, t) => model(latents, 1, t);
  return async (latents, t) => {
    const n = latents.length;
    const pair = new Float32Array(2 * n);
    pair.set(latents);
    pair.set(latents, n);
    const both = await model(pair, 2, t);
    if (both.length !== 2 * n) throw internalError('guidance', `the model must return ${2 * n} values`, both.length);
    return combine(both, scale);
  };
}

/** [conditional, unconditional] flat [2n] → guided [n]. */
function combine(both: Float32Array, scale: number): Float32Array {
  const n = both.length / 2;
  const out = new Float32Array(n);
  const w = Math.fround(scale);
  for (let i = 0; i < n; i++) {
    const unconditional = both[n + i]!;
    out[i] = unconditional + Math.fround(w * Math.fround(both[i]! - unconditional));
  }
  return out;
}
