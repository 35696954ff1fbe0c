/**
 * What the parts of an evaluation share: the cases, where pictures go, and the pause between clips in which progress is
 * told and a stop is heard. Measures nothing.
 */
import { setImmediate } from 'node:timers/promises';
import type { World } from '../data/world.ts';
import { StepVideoError } from '../errors.ts';
import type { Settings } from './settings.ts';
import type { TestCase } from './test-set.ts';

/** `done` of `total` clips of a stage. */
export type EvaluationProgress = { readonly stage: string; readonly done: number; readonly total: number };

export type Context = {
  readonly world: World;
  readonly cases: readonly TestCase[];
  readonly settings: Settings;
  /** Directory of the contact sheets; it exists. */
  readonly out: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: EvaluationProgress) => void) | undefined;
};

/** The first clips of the set go on contact sheets, whatever they look like. */
export const SHOWN_CLIPS = 24;

/** Tells progress, and lets signals and timers run. @throws aborted error once the signal has fired. */
export async function pause(
  { signal, onProgress }: Pick<Context, 'signal' | 'onProgress'>,
  progress: EvaluationProgress,
): Promise<void> {
  onProgress?.(progress);
  // Networks and scores hold the thread; the second turn comes after the event loop has asked the system what is new.
  for (let turn = 0; turn < 2; turn++) await setImmediate();
  const { stage, done, total } = progress;
  if (signal?.aborted) throw new StepVideoError('aborted', 'eval', `stopped at ${stage}, clip ${done} of ${total}`);
}
