/**
 * Fits the map of previews to a model's encoder on clips, and says how close it comes on held-out ones and how latents spread.
 * Knows which clips; the arithmetic is vae/preview-fit.ts.
 */
import type { ClipPixels, ClipSource } from '../data/clip-source.ts';
import { internalError } from '../errors.ts';
import { psnr } from '../eval/quality.ts';
import type { Device } from '../runtime/device.ts';
import { loadVae, type Vae } from '../vae/load.ts';
import { isFirst, type MAPS, type PreviewMaps, previewPicture, savePreviews } from '../vae/preview.ts';
import { type PreviewExample, previewFitter, previewTarget } from '../vae/preview-fit.ts';
import { clipsToPixels } from './clip-pixels.ts';
import { channelStatistics, type LatentStatistics } from './latent-statistics.ts';

/** Clips of the fit are drawn as training's are, by a seed of their own. */
const SEED = 4242;
export const PREVIEW_FRAMES = 17;
const LATENT_FRAMES = [0, 1, 2] as const;

export type FitOptions = {
  /** Its longest clip must have `PREVIEW_FRAMES`. */
  readonly source: ClipSource;
  /** Clips to fit on. */
  readonly clips: number;
  readonly device: Device;
  readonly threads?: number | undefined;
  /** Held-out clips to measure on; none unless told. */
  readonly measure?: number | undefined;
};

/**
 * `psnr` in dB of each map's pictures against averaged real frames, where that was asked for; `statistics` of the latents that the
 * maps were fitted on.
 */
export type PreviewFit = {
  readonly file: string;
  readonly psnr: Readonly<Record<(typeof MAPS)[number], number>> | undefined;
  readonly statistics: LatentStatistics;
};

/** Fits and writes `vae/preview.safetensors` of model directory `dir`. The same weights and clips give the same file. */
export async function fitPreview(dir: string, options: FitOptions): Promise<PreviewFit> {
  const { source, device, threads } = options;
  const vae = await loadVae(dir, { device, threads });
  try {
    const fitter = previewFitter(vae.config.z_channels);
    const shown = await source.stream({ seed: SEED, frames: PREVIEW_FRAMES, part: 'train' });
    const held = await source.stream({ seed: SEED + 1, frames: PREVIEW_FRAMES, part: 'held-out' });
    if (!shown || !held) throw internalError('preview', 'every source has clips to train on and held-out ones');
    const [clips, measure] = [Math.min(options.clips, shown.distinct), Math.min(options.measure ?? 0, held.distinct)];
    const fitted: { latents: Float32Array; shape: readonly number[] }[] = [];
    for (let i = 0; i < clips; i++) {
      const example = await exampleOf(vae, await shown.clip(i));
      fitter.add(example);
      const { latents, height, width } = example;
      fitted.push({ latents, shape: [LATENT_FRAMES.length, vae.config.z_channels, height, width] });
    }
    const maps = fitter.maps();
    const examples: PreviewExample[] = [];
    for (let i = 0; i < measure; i++) examples.push(await exampleOf(vae, await held.clip(i)));
    const file = await savePreviews(dir, maps, { clips });
    const psnr = measure === 0 ? undefined : accuracy(maps, examples);
    return { file, psnr, statistics: channelStatistics(fitted) };
  } finally {
    await vae.close();
  }
}

async function exampleOf(vae: Vae, clip: ClipPixels): Promise<PreviewExample> {
  const { pixels, height, width } = clip;
  const moments = await vae.moments(clipsToPixels([clip]), { frames: PREVIEW_FRAMES, height, width });
  // Each latent frame is means, then log-variances.
  const size = moments.length / LATENT_FRAMES.length;
  const latents = new Float32Array(moments.length / 2);
  for (const frame of LATENT_FRAMES)
    latents.set(moments.subarray(frame * size, frame * size + size / 2), (frame * size) / 2);
  return { latents, pixels, height: height / 16, width: width / 16 };
}

function accuracy(maps: PreviewMaps, examples: readonly PreviewExample[]): Record<(typeof MAPS)[number], number> {
  const score = (name: (typeof MAPS)[number]): number => {
    const made: Uint8Array[] = [];
    const real: Uint8Array[] = [];
    for (const { latents, pixels, height, width } of examples) {
      for (const frame of LATENT_FRAMES) {
        if (isFirst(frame) !== (name === 'first')) continue;
        const size = latents.length / LATENT_FRAMES.length;
        const own = latents.subarray(frame * size, (frame + 1) * size);
        made.push(previewPicture(own, { map: maps[name], height, width }));
        real.push(asPicture(previewTarget(pixels, { frame, height, width }), { height, width }));
      }
    }
    return psnr(Buffer.concat(made), Buffer.concat(real));
  };
  return { first: score('first'), later: score('later') };
}

/** [places, 12] → RGB8 [2h, 2w, 3]: the picture of latents that are the wanted numbers themselves. */
function asPicture(wanted: Float64Array, size: { height: number; width: number }): Uint8Array {
  const plane = size.height * size.width;
  const outputs = wanted.length / plane;
  const latents = Float32Array.from(wanted, (_, i) => wanted[(i % plane) * outputs + Math.floor(i / plane)]!);
  const identity = Float32Array.from({ length: outputs ** 2 }, (_, i) => (i % (outputs + 1) === 0 ? 1 : 0));
  return previewPicture(latents, { map: { weight: identity, bias: new Float32Array(outputs) }, ...size });
}
