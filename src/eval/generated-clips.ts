/**
 * Many clips from one loaded model, several denoised at once; each is what its prompt and seed alone would give.
 * The same stages as `generate.ts` without files and events. Does not know what the prompts mean, nor scores.
 */
import { setImmediate } from 'node:timers/promises';
import { euler } from '../diffusion/euler.ts';
import { guided, needsUnconditional } from '../diffusion/guidance.ts';
import { gaussian } from '../diffusion/noise.ts';
import { schedule } from '../diffusion/schedule.ts';
import { latentLength, latentShape } from '../latents.ts';
import type { Pipeline } from '../pipeline.ts';
import { CLIP_SIZE, pixelsOf } from './clip-pixels.ts';

/** What is the same for all clips; `promptSuffix` is appended without a separator. */
export type ClipSampling = {
  readonly frames: number;
  readonly steps: number;
  readonly guidanceScale: number;
  readonly timeShift: number;
  readonly promptSuffix: string;
  readonly negativePrompt: string;
};

/** `pixels` is RGB8 [frames, 128, 128, 3]; `seconds` this clip's share of its batch's time, by stage. */
export type GeneratedClip = { readonly pixels: Uint8Array; readonly seconds: StageSeconds };

export type StageSeconds = { readonly text: number; readonly denoise: number; readonly decode: number };

/** Clips denoised together. On two cores 2 and 12 take as long a clip, so what matters is how soon a stop is heard. */
const CLIPS_AT_ONCE = 6;

/**
 * One clip for each request, in order. Batches keep their places whatever comes later, so the first clips of a longer
 * list are those of a shorter one up to rounding.
 * @throws numeric error at a value that is not finite; aborted error between steps once `signal` fires.
 */
export async function* generateClips<Text>(
  pipeline: Pipeline<Text>,
  requests: readonly { readonly prompt: string; readonly seed: number }[],
  { sampling, signal }: { sampling: ClipSampling; signal?: AbortSignal | undefined },
): AsyncGenerator<GeneratedClip, void, void> {
  const { frames, steps, guidanceScale, timeShift, promptSuffix, negativePrompt } = sampling;
  const shape = latentShape({ frames, ...CLIP_SIZE }, pipeline.latentChannels);
  const length = latentLength(shape);
  const times = schedule({ steps, timeShift });
  for (let from = 0; from < requests.length; from += CLIPS_AT_ONCE) {
    const batch = requests.slice(from, from + CLIPS_AT_ONCE);
    const clock = lapClock();
    const prompts = batch.map(({ prompt }) => prompt + promptSuffix);
    const isGuided = needsUnconditional(guidanceScale);
    const text = await pipeline.encodeText(isGuided ? [...prompts, ...batch.map(() => negativePrompt)] : prompts);
    const textSeconds = clock();

    // To the sampler and to guidance, which work number by number, a batch is one long video.
    const velocity = guided(
      (latents, halves, t) => pipeline.velocity({ latents, batch: halves * batch.length, shape, t, text }),
      guidanceScale,
    );
    let latents = new Float32Array(batch.length * length);
    batch.forEach(({ seed }, i) => {
      latents.set(gaussian({ seed, length }), i * length);
    });
    for await (const step of euler({ velocity, latents, times, signal })) {
      latents = Float32Array.from(step.latents);
      await setImmediate(); // signals arrive between steps: networks hold the thread
    }
    const denoiseSeconds = clock();

    for (let i = 0; i < batch.length; i++) {
      const own = latents.slice(i * length, (i + 1) * length);
      clock();
      const pixels = await pixelsOf(pipeline.decode(own, shape));
      const seconds = { text: textSeconds / batch.length, denoise: denoiseSeconds / batch.length, decode: clock() };
      yield { pixels, seconds };
    }
  }
}

/** Seconds since the last call. */
function lapClock(): () => number {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const lap = (now - last) / 1000;
    last = now;
    return lap;
  };
}
