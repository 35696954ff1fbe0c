/**
 * Learning rate over a run, as a factor of each group's own rate.
 */
import type { ScheduleConfig } from './config.ts';

/** Factor at `step` (0-based) of `steps`: linear warm-up, flat, then cosine or linear decay to `final`. */
export function learningRateFactor(
  step: number,
  steps: number,
  { warmup, flat, decay, final }: ScheduleConfig,
): number {
  const rise = warmup > 0 ? Math.min(1, (step + 1) / warmup) : 1;
  const start = Math.max(warmup, flat * steps);
  if (step < start) return rise;
  const progress = Math.min(1, (step - start) / Math.max(1, steps - 1 - start));
  const fall = decay === 'cosine' ? (1 + Math.cos(Math.PI * progress)) / 2 : 1 - progress;
  return rise * (final + (1 - final) * fall);
}
