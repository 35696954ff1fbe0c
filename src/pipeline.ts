/**
 * The networks of one model directory behind four verbs, loaded when first needed.
 * Knows which file belongs to which stage; does not know requests, samplers or video files.
 */
import type { LatentShape } from './latents.ts';
import type { Preset } from './presets.ts';

/** A model that turns text and latents into frames. */
export interface Pipeline<Text = unknown> {
  /** Absolute path of the checkpoint. */
  readonly directory: string;
  readonly preset: Preset;
  /** Channels of a latent, `in_channels` of the transformer. */
  readonly latentChannels: number;
  /** Words of `prompt` that the model's vocabularies do not hold. */
  unknownWords(prompt: string): string[];
  /** Both text encoders over a batch of texts. */
  encodeText(texts: readonly string[]): Promise<Text>;
  /** latents float32 [batch, F, C, h, w] flat at time t → velocity of that length; the batch is that of `text`. */
  velocity(call: {
    latents: Float32Array;
    batch: number;
    shape: LatentShape;
    t: number;
    text: Text;
  }): Promise<Float32Array>;
  /** latents float32 [F, C, h, w] flat → float32 chunks [T, 3, H, W] flat in about [-1, 1], in order of time. */
  decode(latents: Float32Array, shape: LatentShape): AsyncIterable<Float32Array>;
  /** Frees every network; the pipeline cannot be used afterwards. */
  close(): Promise<void>;
}
