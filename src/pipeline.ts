/**
 * The networks of one model directory behind four verbs, each compiled when first needed.
 * Knows which stage loads what; does not know requests, samplers or video files.
 */
import { loadDit } from './dit/load.ts';
import type { StepCache } from './dit/step-cache.ts';
import { checkpointError } from './errors.ts';
import type { LatentShape } from './latents.ts';
import { type Placements, planMemory } from './memory-plan/plan.ts';
import type { Preset } from './presets.ts';
import { loadTokenizers } from './prompt/tokenize.ts';
import type { Device } from './runtime/device.ts';
import { textCache, textKey } from './text/cache.ts';
import type { TextEmbedding } from './text/encode.ts';
import { loadTextEncoders } from './text/load.ts';
import { encoderIdentity } from './text-identity.ts';
import { type DecodeOptions, loadVae } from './vae/load.ts';
import { loadPreviews, type Previews } from './vae/preview.ts';
import type { HunyuanClipConfig, StepLlmConfig, TransformerConfig, VaeConfig } from './weights/component-config.ts';

/** A model that turns text and latents into frames. `Text` is private to it: what one verb makes and another takes. */
export interface Pipeline<Text = unknown> {
  /** Absolute path of the checkpoint. */
  readonly directory: string;
  readonly preset: Preset;
  /** Channels of a latent, `in_channels` of the transformer. */
  readonly latentChannels: number;
  /** Small pictures of latents at next to no cost, or why the model has none. */
  readonly previews: Previews;
  /** Words of `prompt` that the model's vocabularies do not hold. */
  unknownWords(prompt: string): string[];
  /** Both text encoders over a batch of texts. A signal stops networks whose weights are streamed between two stages. */
  encodeText(texts: readonly string[], signal?: AbortSignal): Promise<Text>;
  /** latents float32 [batch, F, C, h, w] flat at time t → velocity of that length; the batch is that of `text`; a `cache` may skip work. */
  velocity(call: {
    latents: Float32Array;
    batch: number;
    shape: LatentShape;
    t: number;
    text: Text;
    cache?: StepCache | undefined;
    signal?: AbortSignal | undefined;
  }): Promise<Float32Array>;
  /** latents float32 [F, C, h, w] flat → float32 chunks [T, 3, H, W] flat in about [-1, 1], in order of time. */
  decode(latents: Float32Array, shape: LatentShape, options?: DecodeOptions): AsyncIterable<Float32Array>;
  /** Frees every network; the pipeline cannot be used afterwards. */
  close(): Promise<void>;
}

export type PipelineOptions = {
  device: Device;
  preset: Preset;
  /** Threads of one network; all cores unless told. */
  threads?: number | undefined;
  /** Free each stage once the next one begins: for one video, where memory matters more than a second one's start. */
  once?: boolean;
  /** Folder of text states that outlive the process; none unless given. */
  textCache?: string | undefined;
  /** How networks hold their weights; planned for the preset's own size and the memory that is free unless given. */
  placements?: Placements | undefined;
};

/**
 * Opens a checkpoint directory and checks that every component holds exactly the tensors of its config. Weights are
 * read when a stage first runs.
 * @throws checkpoint error that names the file, and the tensors that are missing, left over or misshapen.
 */
export async function loadPipeline(directory: string, options: PipelineOptions): Promise<Pipeline<TextEmbedding>> {
  const { preset, once = false, textCache: folder, placements, ...runtime } = options;
  const cache = folder === undefined ? undefined : textCache(folder);
  const { llm, clip, dit: held, decodeBytes } = placements ?? (await planMemory(directory, preset, runtime)).placements;
  const tokenizers = await loadTokenizers(directory);
  const encoders = await loadTextEncoders(directory, { ...runtime, placement: { llm, clip } });
  const dit = await loadDit(directory, { ...runtime, placement: held });
  const vae = await loadVae(directory, runtime);
  checkFit(directory, { dit: dit.config, vae: vae.config, ...encoders.config });
  return {
    directory,
    preset,
    latentChannels: dit.config.in_channels,
    previews: await loadPreviews(directory),
    unknownWords: (prompt) => tokenizers.unknownWords(prompt),
    async encodeText(texts, signal) {
      const tokens = texts.map((each) => tokenizers.tokenizePrompt(each));
      const encode = () => encoders.encode(tokens, { signal });
      const key = cache && textKey(tokens, await encoderIdentity(directory, runtime));
      const text = cache && key ? await cache.states(key, encode) : await encode();
      if (once) await encoders.close();
      return text;
    },
    velocity: (call) => dit.velocity(call),
    async *decode(latents, shape, options) {
      if (once) await dit.close();
      yield* vae.decode(latents, shape, { memory: decodeBytes, ...options });
    },
    async close() {
      await Promise.all([encoders.close(), dit.close(), vae.close()]);
    },
  };
}

type Configs = { dit: TransformerConfig; vae: VaeConfig; llm: StepLlmConfig; clip: HunyuanClipConfig };

/**
 * Components that are complete one by one may still come from different models.
 * @throws checkpoint error that names the two widths which do not meet.
 */
export function checkFit(directory: string, { dit, vae, llm, clip }: Configs): void {
  const op = `checkpoint ${directory}`;
  const require = (found: unknown, wanted: unknown, what: string): void => {
    if (String(found) !== String(wanted)) throw checkpointError(op, `${what} must be ${wanted}`, found);
  };
  require(dit.in_channels, vae.z_channels, 'in_channels of the transformer, whose latents the VAE decodes,');
  require(dit.out_channels, dit.in_channels, 'out_channels of the transformer');
  const { caption_channels: captions } = dit;
  const widths = typeof captions === 'number' ? [llm.hidden_size] : [llm.hidden_size, clip.hidden_size];
  require(captions, widths, 'caption_channels of the transformer, whose text the encoders make,');
}
