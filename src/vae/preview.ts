/**
 * Previews: a linear map from the latents of one place to the RGB of the 2x2 areas that it stands for, kept beside the VAE.
 * Rough and nearly free, where decoding is exact and dear. Does not know samplers, nor how the map is fitted (preview-fit.ts).
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { checkpointError, StepVideoError } from '../errors.ts';
import { componentFolder, openComponent } from '../weights/checkpoint.ts';
import { openSafetensors, writeSafetensors } from '../weights/safetensors.ts';
import { CHUNK_FRAMES, CHUNK_LATENTS, type VaeConfig } from './config.ts';
import { encoderHash } from './encoder-hash.ts';
import { latentScale } from './latent-scale.ts';
import type { VaeLatentShape } from './load.ts';

/** Pictures' pixels along each side of a latent. */
export const PREVIEW_PIXELS = 2;
/** What a map gives for one place: RGB of 2x2 pixels, [row, column, channel]. */
export const PREVIEW_OUTPUTS = 3 * PREVIEW_PIXELS ** 2;

/** `weight` [12, z] on latents as the VAE has them, not scaled; `bias` [12]. RGB in [-1, 1]. */
export type LinearMap = { readonly weight: Float32Array; readonly bias: Float32Array };

/** The first latent frame of a chunk stands for one frame, the later ones for 8: their statistics differ, and so do their maps. */
export const MAPS = ['first', 'later'] as const;
export type PreviewMaps = Readonly<Record<(typeof MAPS)[number], LinearMap>>;

/** One picture a latent frame, RGB8 [height, width, 3]; `times` are the middles of what they stand for, in frames of the video. */
export type PreviewPictures = {
  readonly width: number;
  readonly height: number;
  readonly pictures: readonly Uint8Array[];
  readonly times: readonly number[];
};

/** What a model offers: pictures of latents [F, z, h, w] as the denoiser has them, or the reason why it has none. */
export type Previews =
  | { pictures(latents: Float32Array, shape: VaeLatentShape): PreviewPictures }
  | { missing: string };

const FORMAT = 'step-video preview 1';
const previewFile = (dir: string): string => path.join(componentFolder(dir, 'vae'), 'preview.safetensors');

/** The map of model directory `dir`. It is never needed for a video, so that nothing is thrown where it cannot be used. */
export async function loadPreviews(dir: string): Promise<Previews> {
  const file = previewFile(dir);
  const fit = `step-video preview-fit ${dir}`;
  if (!existsSync(file)) return { missing: `no previews: ${dir} has no map from latents to RGB (try ${fit})` };
  try {
    const { config, source } = await openComponent(dir, 'vae');
    const [maps, hash] = await Promise.all([readMaps(file, config), encoderHash(source)]);
    await source.close();
    if (maps.vae !== hash) return { missing: `no previews: ${file} was fitted for another VAE (try ${fit})` };
    return { pictures: pictureMaker(maps, config) };
  } catch (error) {
    if (error instanceof StepVideoError) return { missing: `no previews: ${error.message}` };
    throw error;
  }
}

/** Writes the map of model directory `dir`, whole or not at all; `clips` is how many it was fitted on. */
export async function savePreviews(dir: string, maps: PreviewMaps, { clips }: { clips: number }): Promise<string> {
  const file = previewFile(dir);
  const { source } = await openComponent(dir, 'vae');
  const vae = await encoderHash(source);
  await source.close();
  const tensors = MAPS.flatMap((name) => {
    const { weight, bias } = maps[name];
    const channels = weight.length / PREVIEW_OUTPUTS;
    return [
      { name: `${name}.weight`, dtype: 'F32' as const, shape: [PREVIEW_OUTPUTS, channels], data: weight },
      { name: `${name}.bias`, dtype: 'F32' as const, shape: [PREVIEW_OUTPUTS], data: bias },
    ];
  });
  const about = 'latents of one place to RGB in [-1, 1] of 2x2 pixels [row, column, channel]; first: of each chunk';
  await writeSafetensors(file, tensors, { format: FORMAT, about, vae, clips: String(clips) });
  return file;
}

async function readMaps(file: string, config: VaeConfig): Promise<PreviewMaps & { vae: string | undefined }> {
  const source = await openSafetensors(file);
  try {
    if (source.metadata.format !== FORMAT)
      throw checkpointError(
        `preview ${file}`,
        `must be of the format "${FORMAT}"`,
        source.metadata.format ?? 'another',
      );
    const read = async (name: string, shape: readonly number[]): Promise<Float32Array> => {
      const entry = source.tensors.get(name);
      if (entry === undefined || String(entry.shape) !== String(shape))
        throw checkpointError(`preview ${file}`, `${name} must be [${shape.join(', ')}]`, entry?.shape ?? 'nothing');
      return source.readFloat32(entry);
    };
    const map = async (name: string): Promise<LinearMap> => ({
      weight: await read(`${name}.weight`, [PREVIEW_OUTPUTS, config.z_channels]),
      bias: await read(`${name}.bias`, [PREVIEW_OUTPUTS]),
    });
    return { first: await map('first'), later: await map('later'), vae: source.metadata.vae };
  } finally {
    await source.close();
  }
}

/** Latents as the denoiser has them → pictures. */
function pictureMaker(maps: PreviewMaps, config: VaeConfig) {
  const scale = latentScale(config);
  return (latents: Float32Array, shape: VaeLatentShape): PreviewPictures => {
    const { frames, channels, height, width } = shape;
    const plane = height * width;
    const own = scale.remove(latents, plane);
    const pictures = Array.from({ length: frames }, (_, frame) =>
      previewPicture(own.subarray(frame * channels * plane, (frame + 1) * channels * plane), {
        map: isFirst(frame) ? maps.first : maps.later,
        height,
        width,
      }),
    );
    const times = pictures.map((_, frame) => middleTime(frame));
    return { width: PREVIEW_PIXELS * width, height: PREVIEW_PIXELS * height, pictures, times };
  };
}

export const isFirst = (latentFrame: number): boolean => latentFrame % CHUNK_LATENTS === 0;

/** Middle of the frames that a latent frame stands for: 0, 4.5, 12.5 in each chunk of 17. */
function middleTime(latentFrame: number): number {
  const place = latentFrame % CHUNK_LATENTS;
  const chunk = Math.floor(latentFrame / CHUNK_LATENTS);
  return chunk * CHUNK_FRAMES + (place === 0 ? 0 : 8 * place - 3.5);
}

/** One latent frame [z, h, w] of the VAE's own scale → RGB8 [2h, 2w, 3]. */
export function previewPicture(
  latents: Float32Array,
  { map, height, width }: { map: LinearMap; height: number; width: number },
): Uint8Array {
  const plane = height * width;
  const channels = latents.length / plane;
  const rgb = new Uint8ClampedArray(plane * PREVIEW_OUTPUTS); // storing clamps and rounds
  const values = new Float32Array(plane);
  for (let output = 0; output < PREVIEW_OUTPUTS; output++) {
    values.fill(map.bias[output]!);
    for (let channel = 0; channel < channels; channel++) {
      const weight = map.weight[output * channels + channel]!;
      const from = channel * plane;
      for (let i = 0; i < plane; i++) values[i]! += weight * latents[from + i]!;
    }
    const pixel = Math.floor(output / 3);
    const [row, column] = [Math.floor(pixel / PREVIEW_PIXELS), pixel % PREVIEW_PIXELS];
    for (let i = 0; i < plane; i++) {
      const y = Math.floor(i / width) * PREVIEW_PIXELS + row;
      const x = (i % width) * PREVIEW_PIXELS + column;
      rgb[(y * width * PREVIEW_PIXELS + x) * 3 + (output % 3)] = (values[i]! + 1) * 127.5;
    }
  }
  return new Uint8Array(rgb.buffer);
}
