/**
 * Constants of the Video-VAE v2 that no config changes; sizes that one does are `VaeConfig` (weights/).
 */
export type { VaeConfig } from '../weights/component-config.ts';

/** Pixel frames of a whole chunk, and latent frames of one. */
export const CHUNK_FRAMES = 17;
export const CHUNK_LATENTS = 3;
/** Pixels to a latent, along each side. */
export const SPATIAL_FACTOR = 16;
