/**
 * What the parts of an evaluation share: the cases, where pictures go, and the pause between clips in which progress is
 * told and a stop is heard. Measures nothing.
 */
import { setImmediate } from 'node:timers/promises';
import { StepVideoError } from '../errors.ts';
import type { FeatureNetwork } from './feature-network.ts';
import type { Knowledge } from './knowledge.ts';
import type { Settings } from './settings.ts';
import type { SetName, TestCase } from './test-set.ts';

/** `done` of `total` clips of a stage. */
export type EvaluationProgress = { readonly stage: string; readonly done: number; readonly total: number };

export type Context = {
  readonly known: Knowledge;
  /** Of every set that is scored, empty where the model does not know what it asks for. */
  readonly cases: Readonly<Record<SetName, readonly TestCase[]>>;
  readonly settings: Settings;
  /** Directory of the pictures; it exists. */
  readonly out: string;
  /** For the Fréchet distance, which is left out without it. */
  readonly features?: FeatureNetwork | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: EvaluationProgress) => void) | undefined;
};

/** The first clips of a set are shown, whatever they look like. */
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
