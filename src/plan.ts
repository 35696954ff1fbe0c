/**
 * What one generation will do, with everything checked that can be checked before work starts: the request, the
 * saved run that it continues, the model directory, the output files and the codec.
 * Loads no network and writes nothing.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { initialNoise } from './diffusion/initial-noise.ts';
import { inputError } from './errors.ts';
import { type LatentShape, latentLength, latentShape, type SavedLatents } from './latents.ts';
import type { Preset } from './presets.ts';
import { fillRequest, type GenerateRequest, type SamplingRequest } from './request.ts';
import { pickBackend } from './video/backend.ts';
import { checkPicture, formatOf, VIDEO_FORMATS, type VideoFormat } from './video/format.ts';
import { assertWritable } from './video/writable.ts';

/** About how many previews a run has unless told. */
const PREVIEWS_A_RUN = 8;

/** One generation, settled. */
export type Plan = {
  sampling: SamplingRequest;
  out: string;
  format: VideoFormat;
  /** Where latents are written before they are decoded, and whether they stay once the video is there. */
  latentsFile: string;
  keepLatents: boolean;
  /** The file that shows previews, if any, and the steps from one to the next; 0: none. */
  preview: string | undefined;
  previewEvery: number;
  /** The saved run to continue, if any. */
  saved: SavedLatents | undefined;
};

/**
 * Settles `request`, or the `saved` run that it resumes, for a model's `preset`.
 * @throws input error for an output that cannot be written; environment error when the format needs a codec that is not there.
 */
export async function planGeneration(
  request: GenerateRequest,
  { preset, saved }: { preset: Preset; saved: SavedLatents | undefined },
): Promise<Plan> {
  const filled = saved?.request ?? fillRequest(request, preset);
  const sampling = { ...filled, fps: request.fps ?? filled.fps };
  const out = request.out ?? defaultOutput(sampling, request.format);
  const format = formatOf(out, request.format);
  checkPicture(format, sampling);
  await assertWritable(out, format);
  const asked = request.saveLatents;
  const latentsFile = typeof asked === 'string' ? asked : besideOutput(out);
  await assertWritable(latentsFile, 'mp4');
  const { preview, previewEvery = Math.ceil(sampling.steps / PREVIEWS_A_RUN) } = request;
  if (preview !== undefined) {
    if (path.resolve(preview) === path.resolve(out))
      throw inputError('generate', 'preview must not be the file of the video', preview);
    await assertWritable(preview);
  }
  const formats = [format, ...(preview === undefined ? [] : [formatOf(preview)])];
  if (formats.some((each) => VIDEO_FORMATS[each].coding)) await pickBackend();
  // A file that was there before this run is somebody's: it may be overwritten by the run's latents, never removed.
  const keepLatents = (asked !== undefined && asked !== false) || existsSync(latentsFile);
  return { sampling, out, format, latentsFile, keepLatents, preview, previewEvery, saved };
}

/** Where the sampler starts: the saved latents, or noise made of the seed; `step` counts the steps already done. */
export function startingPoint(
  plan: Plan,
  channels: number,
): { shape: LatentShape; latents: Float32Array; step: number } {
  const shape = latentShape(plan.sampling, channels);
  if (!plan.saved) {
    const { rng, seed } = plan.sampling;
    return { shape, latents: initialNoise(rng, { seed, length: latentLength(shape) }), step: 0 };
  }
  if (plan.saved.shape.channels !== channels) {
    const rule = `the saved latents must have the model's ${channels} channels`;
    throw inputError('generate', rule, plan.saved.shape.channels, 'the model that made them');
  }
  return { shape, latents: plan.saved.latents, step: plan.saved.step };
}

/** `out/<prompt in short>-<seed>.<format>`. */
function defaultOutput({ prompt, seed }: SamplingRequest, format: VideoFormat = 'mp4'): string {
  const words = prompt.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? ['video'];
  const slug = [...words.join('-')].slice(0, 48).join('').replace(/-+$/, '');
  return path.join('out', `${slug}-${seed}${format === 'png' ? path.sep : `.${format}`}`);
}

/** `clip.mp4` and `clip/` → `clip.latents.safetensors`. */
function besideOutput(out: string): string {
  const { dir, name } = path.parse(out);
  return path.join(dir, `${name}.latents.safetensors`);
}
