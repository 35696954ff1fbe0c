/**
 * How much a VAE's decoder makes of each latent channel, as weights of the denoiser's loss: latents are scaled to deviation 1, so
 * without them a channel that hardly shows counts as much as one that paints the subject. Does not know the denoiser.
 */
import { gaussian } from '../diffusion/noise.ts';
import { inputError } from '../errors.ts';
import type { Device } from '../runtime/device.ts';
import { sizeOf } from '../tensor/index.ts';
import { CHUNK_LATENTS } from '../vae/config.ts';
import { loadVae, type Vae } from '../vae/load.ts';
import type { LatentSet } from './latents.ts';

type ChannelOptions = {
  /** Model directory whose decoder is asked, published with mean and deviation of its latents. */
  readonly vae: string;
  /** 0: all channels alike; 1: by the mean square of what a change of the channel changes in pixels; 0.5: by its root. */
  readonly exponent: number;
  readonly device: Device;
  readonly threads?: number | undefined;
};

/** Normal noise of this deviation is added to one channel after another, of the first chunk of so many clips. */
const NOISE = 0.3;
const CLIPS = 2;
const SEED = 4243;

/**
 * Weights of mean 1, one a channel, to three digits, so that they do not hang on the order of a machine's sums.
 * `set` is normalised.
 * @throws input error where the VAE has no deviations of its latents.
 */
export async function channelWeights(set: LatentSet, { vae: directory, exponent, ...runtime }: ChannelOptions) {
  const vae = await loadVae(directory, runtime);
  try {
    if (vae.config.latents_std === undefined)
      throw inputError(
        'train',
        'decoderExponent needs a VAE published with latents_std',
        directory,
        'training one here',
      );
    const changes = new Float64Array(vae.config.z_channels);
    for (let clip = 0; clip < Math.min(CLIPS, set.captions.length); clip++) await addChanges(vae, set, clip, changes);
    const raw = Array.from(changes, (change) => change ** exponent);
    const mean = raw.reduce((sum, weight) => sum + weight, 0) / raw.length;
    return raw.map((weight) => Number((weight / mean).toPrecision(3)));
  } finally {
    await vae.close();
  }
}

/** Adds the squared change of pixels that each channel's noise makes in one clip. */
async function addChanges(vae: Vae, set: LatentSet, clip: number, changes: Float64Array): Promise<void> {
  const [all, channels, height, width] = set.shape as readonly [number, number, number, number];
  const frames = Math.min(CHUNK_LATENTS, all);
  const shape = { frames, channels, height, width };
  const [plane, size] = [height * width, frames * channels * height * width];
  const from = clip * sizeOf(set.shape);
  const latents = set.latents.slice(from, from + size);
  const decode = async (input: Float32Array): Promise<Float32Array> => {
    for await (const piece of vae.decode(input, shape)) return piece;
    return new Float32Array();
  };
  const still = await decode(latents);
  for (let channel = 0; channel < channels; channel++) {
    const noise = gaussian({ seed: SEED, length: frames * plane, stream: channel });
    const moved = latents.slice();
    for (let i = 0; i < noise.length; i++)
      moved[(Math.floor(i / plane) * channels + channel) * plane + (i % plane)]! += NOISE * noise[i]!;
    const pixels = await decode(moved);
    changes[channel]! += pixels.reduce((sum, value, i) => sum + (value - still[i]!) ** 2, 0);
  }
}
