/**
 * A grid of clips that the model makes of captions of fixed held-out clips, beside the real ones, through the loaders that users run.
 * Knows no training; scores are eval's.
 */
import type { ClipSource } from '../data/clip-source.ts';
import { euler } from '../diffusion/euler.ts';
import { guided } from '../diffusion/guidance.ts';
import { gaussian } from '../diffusion/noise.ts';
import { schedule } from '../diffusion/schedule.ts';
import { internalError } from '../errors.ts';
import { latentLength, latentShape } from '../latents.ts';
import { loadPipeline, type Pipeline } from '../pipeline.ts';
import { presetOf } from '../presets.ts';
import type { Device } from '../runtime/device.ts';
import { contactSheet } from '../video/contact-sheet.ts';
import { framesFromDecoded } from '../video/pixels.ts';
import { PICTURE } from './clip-pixels.ts';

/** Few and coarse: what a glance needs. Seeds never change, so that grids of two steps compare. */
const GRID = { clips: 4, steps: 12, seed: 77, shown: 3 } as const;

export type SampleOptions = {
  /** Model directory of the weights. */
  readonly model: string;
  readonly source: ClipSource;
  /** 1, or whole chunks of 17. */
  readonly frames: number;
  /** The PNG to write: a row a clip, real frames left, made ones right. */
  readonly file: string;
  readonly device: Device;
  readonly threads?: number | undefined;
};

/** Makes the clips and writes the grid. */
export async function drawSamples(options: SampleOptions): Promise<void> {
  const { model, source, frames, file, device, threads } = options;
  const stream = await source.stream({ seed: GRID.seed, frames, part: 'held-out' });
  if (stream === undefined) throw internalError('samples', 'every source has held-out clips');
  const count = Math.min(GRID.shown, frames);
  const shown = Array.from({ length: count }, (_, i) => Math.round((i * (frames - 1)) / Math.max(1, count - 1)));
  const size = PICTURE * PICTURE * 3;
  const pictures: Uint8Array[] = [];
  const labels: string[] = [];
  const pipeline = await loadPipeline(model, { device, preset: presetOf(model), threads });
  try {
    for (let i = 0; i < Math.min(GRID.clips, stream.files); i++) {
      const { pixels } = await stream.clip(i);
      const caption = stream.caption(i);
      const made = await makeClip(pipeline, { caption, frames, seed: i });
      pictures.push(...shown.map((t) => pixels.subarray(t * size, (t + 1) * size)), ...shown.map((t) => made[t]!));
      labels.push(...shown.map((_, at) => (at === 0 ? caption : '')), ...shown.map(() => ''));
    }
  } finally {
    await pipeline.close();
  }
  await contactSheet(pictures, { width: PICTURE, height: PICTURE, columns: 2 * shown.length, path: file, labels });
}

/** RGB8 frames of one clip, by Euler steps with guidance. */
async function makeClip(
  pipeline: Pipeline,
  { caption, frames, seed }: { caption: string; frames: number; seed: number },
): Promise<Uint8Array[]> {
  const { guidanceScale, timeShift, negativePrompt } = pipeline.preset;
  const shape = latentShape({ frames, height: PICTURE, width: PICTURE }, pipeline.latentChannels);
  let latents = gaussian({ seed, length: latentLength(shape) });
  const text = await pipeline.encodeText([caption, negativePrompt]);
  const velocity = guided((x, batch, t) => pipeline.velocity({ latents: x, batch, shape, t, text }), guidanceScale);
  for await (const step of euler({ velocity, latents, times: schedule({ steps: GRID.steps, timeShift }) }))
    latents = step.latents;
  const made: Uint8Array[] = [];
  for await (const chunk of pipeline.decode(latents, shape))
    made.push(
      ...framesFromDecoded(chunk, { frames: chunk.length / (3 * PICTURE ** 2), height: PICTURE, width: PICTURE }),
    );
  return made;
}
