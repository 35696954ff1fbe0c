/**
 * When a generation shows what it is coming to, and the file that each preview replaces. Knows the steps' guesses and the
 * pipeline's map; never touches latents, so that a video is the same with and without.
 */
import { StepVideoError } from './errors.ts';
import type { LatentShape } from './latents.ts';
import type { Plan } from './plan.ts';
import type { PreviewPictures, Previews } from './vae/preview.ts';
import { writePreview } from './video/preview-animation.ts';

/** Small pictures of the clean latents that the model expects after `step`; `path` is the file that now shows them. */
export type PreviewEvent = PreviewPictures & {
  type: 'preview';
  step: number;
  steps: number;
  path?: string | undefined;
  /** Why the file could not be written, which stops nothing. */
  failure?: string | undefined;
};

type Guess = { step: number; denoised: Float32Array };

/** Previews of one run, for each of its steps, or none where none is due. */
export function previewer(plan: Plan, previews: Previews, shape: LatentShape) {
  const { sampling, preview: file, previewEvery: every } = plan;
  const { steps, width, height, frames, fps } = sampling;
  let isFirst = true;
  return async ({ step, denoised }: Guess): Promise<PreviewEvent | undefined> => {
    if ('missing' in previews || every === 0) return undefined;
    if (!isFirst && step !== steps && step % every !== 0) return undefined;
    isFirst = false;
    const small = previews.pictures(denoised, shape);
    const event = { type: 'preview', step, steps, ...small } as const;
    if (file === undefined) return event;
    const metadata = { prompt: sampling.prompt, seed: String(sampling.seed), step: `${step} of ${steps}` };
    try {
      await writePreview(small, { path: file, width, height, frames, fps, metadata });
      return { ...event, path: file };
    } catch (error) {
      if (error instanceof StepVideoError) return { ...event, failure: error.message };
      throw error;
    }
  };
}
