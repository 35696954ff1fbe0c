/**
 * What an evaluation asks of a feature network that this project trained itself, for the Fréchet distance of its features.
 * Holds no network.
 */
import { CLIP_SIZE, framesOf } from './clip-pixels.ts';
import { type FeatureSums, featureSums, type Gaussian } from './frechet.ts';

export interface FeatureNetwork {
  readonly name: string;
  /** Features of a frame. */
  readonly width: number;
  /** RGB8 [frames, height, width, 3] → one vector a frame, [frames, width] flat. */
  features(
    pixels: Uint8Array,
    size: { readonly width: number; readonly height: number; readonly frames: number },
  ): Promise<Float32Array>;
}

/** Features of the frames of many clips, added up; without a network nothing is. */
export type ClipFeatures = { add(pixels: Uint8Array): Promise<void>; gaussian(): Gaussian | undefined };

export function clipFeatures(network: FeatureNetwork | undefined): ClipFeatures {
  if (!network) return { add: async () => {}, gaussian: () => undefined };
  const sums: FeatureSums = featureSums(network.width);
  return {
    add: async (pixels) => sums.add(await network.features(pixels, { ...CLIP_SIZE, frames: framesOf(pixels).length })),
    gaussian: () => sums.gaussian(),
  };
}
