/**
 * Latents on disk: where a run stands, with everything needed to go on from there to the same bits.
 * A safetensors file of one tensor, `latents` [frames, channels, height, width], and the request as metadata.
 * Does not know samplers or networks.
 */
import { checkpointError } from './errors.ts';
import { type SamplingRequest, samplingSchema } from './request.ts';
import { openSafetensors } from './weights/safetensors.ts';
import { writeSafetensors } from './weights/safetensors-writer.ts';

/** Size of one video's latents: frames F, channels C, rows h, columns w, stored in that order. */
export type LatentShape = { frames: number; channels: number; height: number; width: number };

/** A run after `step` of `request.steps` steps. `model` is the directory that it used. */
export type SavedLatents = {
  latents: Float32Array;
  shape: LatentShape;
  request: SamplingRequest;
  step: number;
  model: string;
};

const FORMAT = 'step-video latents 1';

/** How the networks shrink a video: 17 frames become 3, a single frame stays one, and each side is divided by 16. */
export function latentShape(request: { frames: number; height: number; width: number }, channels: number): LatentShape {
  const { frames, height, width } = request;
  return { frames: frames === 1 ? 1 : (frames / 17) * 3, channels, height: height / 16, width: width / 16 };
}

/** Number of values of one video's latents. */
export const latentLength = ({ frames, channels, height, width }: LatentShape): number =>
  frames * channels * height * width;

/**
 * Writes `file` whole or not at all.
 * @throws environment error when it cannot be written.
 */
export async function writeLatents(file: string, saved: SavedLatents): Promise<void> {
  const { frames, channels, height, width } = saved.shape;
  const tensor = {
    name: 'latents',
    dtype: 'F32',
    shape: [frames, channels, height, width],
    data: saved.latents,
  } as const;
  await writeSafetensors(file, [tensor], {
    format: FORMAT,
    request: JSON.stringify(saved.request),
    step: String(saved.step),
    model: saved.model,
  });
}

/**
 * Reads what `writeLatents` wrote.
 * @throws checkpoint error when `file` is no such file, or its parts do not fit together.
 */
export async function readLatents(file: string): Promise<SavedLatents> {
  const source = await openSafetensors(file);
  try {
    const { metadata, tensors } = source;
    const entry = tensors.get('latents');
    if (metadata.format !== FORMAT || !entry || entry.dtype !== 'F32' || entry.shape.length !== 4) {
      throw checkpointError(
        'latents',
        `${file} must be latents saved by this program`,
        metadata.format ?? 'another file',
      );
    }
    const [frames, channels, height, width] = entry.shape as [number, number, number, number];
    const shape = { frames, channels, height, width };
    const request = parseRequestText(file, metadata.request);
    const step = Number(metadata.step);
    if (!Number.isInteger(step) || step < 0 || step > request.steps) {
      throw checkpointError('latents', `${file} must hold a step from 0 to ${request.steps}`, metadata.step);
    }
    const wanted = latentShape(request, channels);
    if (wanted.frames !== frames || wanted.height !== height || wanted.width !== width) {
      throw checkpointError('latents', `${file} must hold latents of its request's size`, entry.shape);
    }
    return { latents: await source.readFloat32(entry), shape, request, step, model: metadata.model ?? '' };
  } finally {
    await source.close();
  }
}

function parseRequestText(file: string, text: string | undefined): SamplingRequest {
  let json: unknown;
  try {
    json = JSON.parse(text ?? '');
  } catch {
    throw checkpointError('latents', `${file} must hold its request as JSON`, text);
  }
  const parsed = samplingSchema.safeParse(json);
  if (!parsed.success)
    throw checkpointError('latents', `${file} must hold a complete request`, parsed.error.issues[0]?.message);
  return parsed.data;
}
