/**
 * The four components of a checkpoint and the fields of their config.json, under the official names, checked.
 * Sizes that the weights depend on are here; what a model does with the rest is its own affair (unknown fields pass through).
 */
import { z } from 'zod';
import { checkpointError } from '../errors.ts';

export const components = ['transformer', 'vae', 'step_llm', 'hunyuan_clip'] as const;
export type Component = (typeof components)[number];

const size = z.int().positive();

const transformerSchema = z
  .looseObject({
    num_attention_heads: size.default(48),
    attention_head_dim: size.default(128),
    num_layers: size.default(48),
    in_channels: size.default(64),
    out_channels: size.nullable().default(64),
    patch_size: size.default(1),
    /** Widths of Step-LLM and CLIP states; a single number means no CLIP path. */
    caption_channels: z.union([size, z.tuple([size, size])]).default([6144, 1024]),
    norm_eps: z.number().positive().default(1e-6),
    /** Channels of a head for the rotary positions of frame, row and column; halves and quarters where it is not there. */
    rope_ch_split: z.tuple([size, size, size]).optional(),
    // The released model has neither; both would add tensors and inputs.
    norm_elementwise_affine: z.literal(false).default(false),
    use_additional_conditions: z.literal(false).default(false),
  })
  .refine(
    ({ rope_ch_split: split, attention_head_dim: width }) =>
      split === undefined
        ? width % 8 === 0
        : split.every((part) => part % 2 === 0) && split.reduce((a, b) => a + b) === width,
    'rope_ch_split must be even numbers that add up to attention_head_dim (which must be a multiple of 8 where there is no split)',
  )
  .transform((c) => ({ ...c, out_channels: c.out_channels ?? c.in_channels }));

const half = z.object({ ch: size, ch_mult: z.array(size).length(4), num_res_blocks: z.int().nonnegative() });

const widths = ({ ch, ch_mult }: z.infer<typeof half>): number[] => ch_mult.map((m) => ch * m);

/** Every size of the Video-VAE (version 2: 8x16x16). `channels` is the width of the dual paths. */
const vaeSchema = z
  .looseObject({
    encoder: half,
    decoder: half,
    z_channels: size,
    channels: size,
    num_groups: size.default(32),
    /** What the denoiser sees is (latents - mean) / std of each channel; the latents themselves where the two are not there. */
    latents_mean: z.array(z.number()).optional(),
    latents_std: z.array(z.number().positive()).optional(),
  })
  .refine(
    ({ z_channels, latents_mean: mean, latents_std: std }) =>
      mean === undefined ? std === undefined : mean.length === z_channels && std?.length === z_channels,
    'latents_mean and latents_std must both have z_channels numbers, or neither be there',
  )
  .refine(
    (c) => [c.encoder.ch, ...widths(c.encoder), ...widths(c.decoder)].every((width) => width % c.num_groups === 0),
    'num_groups (32 where vae/config.json does not say) must divide every width',
  )
  // The paths without weights repeat or average whole groups of channels.
  .refine(
    (c) => c.channels % 8 === 0 && c.channels % (2 * c.z_channels) === 0,
    'channels must be a multiple of 8 and of 2 * z_channels',
  )
  .refine(
    (c) => [c.encoder, c.decoder].every((part) => (8 * (widths(part).at(-1) as number)) % c.channels === 0),
    'channels must divide 8 times the innermost width',
  );

const stepLlmSchema = z
  .looseObject({
    hidden_size: size,
    num_layers: size,
    num_attention_heads: size,
    num_attention_groups: size,
    ffn_hidden_size: size,
    padded_vocab_size: size,
    layernorm_epsilon: z.number().positive().default(1e-5),
  })
  .refine((c) => c.hidden_size % c.num_attention_heads === 0, 'hidden_size must be a multiple of num_attention_heads')
  .refine(
    (c) => c.num_attention_heads % c.num_attention_groups === 0,
    'num_attention_heads must be a multiple of num_attention_groups',
  );

const hunyuanClipSchema = z
  .looseObject({
    hidden_size: size,
    num_hidden_layers: size,
    num_attention_heads: size,
    intermediate_size: size,
    vocab_size: size,
    max_position_embeddings: size.default(512),
    type_vocab_size: size.default(2),
    layer_norm_eps: z.number().positive().default(1e-12),
  })
  .refine((c) => c.hidden_size % c.num_attention_heads === 0, 'hidden_size must be a multiple of num_attention_heads');

export type TransformerConfig = z.infer<typeof transformerSchema>;
export type VaeConfig = z.infer<typeof vaeSchema>;
export type StepLlmConfig = z.infer<typeof stepLlmSchema>;
export type HunyuanClipConfig = z.infer<typeof hunyuanClipSchema>;

export type ComponentConfigs = {
  transformer: TransformerConfig;
  vae: VaeConfig;
  step_llm: StepLlmConfig;
  hunyuan_clip: HunyuanClipConfig;
};

const schemas: { readonly [C in Component]: z.ZodType<ComponentConfigs[C]> } = {
  transformer: transformerSchema,
  vae: vaeSchema,
  step_llm: stepLlmSchema,
  hunyuan_clip: hunyuanClipSchema,
};

/** Checks a parsed config.json and fills official defaults in. Throws a checkpoint error that names `file` and the first bad field. */
export function parseConfig<C extends Component>(component: C, json: unknown, file: string): ComponentConfigs[C] {
  const result = schemas[component].safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.join('.') || 'the config';
  const got = issue?.path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | null)?.[key], json);
  throw checkpointError(
    `config ${file}`,
    `${field} must suit ${component}: ${issue?.message}`,
    issue === undefined || issue.path.length === 0 ? undefined : (got ?? 'nothing'),
    'the config.json that came with these weights',
  );
}
