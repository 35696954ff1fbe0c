/**
 * Config → the name and shape of every tensor that a component must have, under module names (key fix-ups already applied).
 * The one list that checkpoints are held against; knows no files and no values.
 */
import type {
  Component,
  ComponentConfigs,
  HunyuanClipConfig,
  StepLlmConfig,
  TransformerConfig,
} from './component-config.ts';
import { expectedVae } from './vae-manifest.ts';

export type ExpectedTensors = ReadonlyMap<string, readonly number[]>;

/** Expected tensors of any component. */
export function expectedTensors<C extends Component>(component: C, config: ComponentConfigs[C]): ExpectedTensors {
  return expectations[component](config);
}

const expectations: { readonly [C in Component]: (config: ComponentConfigs[C]) => ExpectedTensors } = {
  transformer: expectedTransformer,
  vae: expectedVae,
  step_llm: expectedStepLlm,
  hunyuan_clip: expectedHunyuanClip,
};

/** The denoiser: 785 tensors and 29,342,478,400 parameters at the official size. */
export function expectedTransformer(config: TransformerConfig): ExpectedTensors {
  const { num_attention_heads, attention_head_dim: head, in_channels, out_channels, patch_size: p } = config;
  const dim = num_attention_heads * head;
  const shapes = new Map<string, readonly number[]>();
  const biased = (name: string, out: number, ...rest: number[]) => {
    shapes.set(`${name}.weight`, [out, ...rest]);
    shapes.set(`${name}.bias`, [out]);
  };

  biased('pos_embed.proj', dim, in_channels, p, p);
  // 256 is the width of the timestep sinusoid, a constant of the architecture.
  biased('adaln_single.emb.timestep_embedder.linear_1', dim, 256);
  biased('adaln_single.emb.timestep_embedder.linear_2', dim, dim);
  biased('adaln_single.linear', 6 * dim, dim);
  const [caption, clip] =
    typeof config.caption_channels === 'number' ? [config.caption_channels] : config.caption_channels;
  biased('caption_projection.linear_1', dim, caption);
  biased('caption_projection.linear_2', dim, dim);
  if (clip !== undefined) biased('clip_projection', dim, clip);
  shapes.set('scale_shift_table', [2, dim]);
  biased('proj_out', p * p * out_channels, dim);
  for (let i = 0; i < config.num_layers; i++) {
    const block = `transformer_blocks.${i}`;
    shapes.set(`${block}.scale_shift_table`, [6, dim]);
    biased(`${block}.norm1`, dim);
    biased(`${block}.norm2`, dim);
    shapes.set(`${block}.attn1.wqkv.weight`, [3 * dim, dim]);
    shapes.set(`${block}.attn2.wq.weight`, [dim, dim]);
    shapes.set(`${block}.attn2.wkv.weight`, [2 * dim, dim]);
    for (const attention of ['attn1', 'attn2']) {
      shapes.set(`${block}.${attention}.wo.weight`, [dim, dim]);
      shapes.set(`${block}.${attention}.q_norm.weight`, [head]);
      shapes.set(`${block}.${attention}.k_norm.weight`, [head]);
    }
    shapes.set(`${block}.ff.net.0.proj.weight`, [4 * dim, dim]);
    shapes.set(`${block}.ff.net.2.weight`, [dim, 4 * dim]);
  }
  return shapes;
}

/** Step-LLM: 289 tensors and 19,579,600,896 parameters at the official size. The feed-forward width is rounded up to 256s. */
export function expectedStepLlm(config: StepLlmConfig): ExpectedTensors {
  const { hidden_size: dim, num_attention_heads: heads, num_attention_groups: groups } = config;
  const ffn = 256 * Math.ceil(config.ffn_hidden_size / 256);
  const shapes = new Map<string, readonly number[]>();
  shapes.set('tok_embeddings.word_embeddings.weight', [config.padded_vocab_size, dim]);
  for (let i = 0; i < config.num_layers; i++) {
    const layer = `transformer.layers.${i}`;
    shapes.set(`${layer}.attention.wqkv.weight`, [dim + (2 * groups * dim) / heads, dim]);
    shapes.set(`${layer}.attention.wo.weight`, [dim, dim]);
    shapes.set(`${layer}.feed_forward.w1.weight`, [2 * ffn, dim]);
    shapes.set(`${layer}.feed_forward.w2.weight`, [dim, ffn]);
    shapes.set(`${layer}.attention_norm.weight`, [dim]);
    shapes.set(`${layer}.ffn_norm.weight`, [dim]);
  }
  return shapes;
}

/** Hunyuan-CLIP, a BERT without pooler and head: 389 tensors and 350,986,240 parameters at the official size. */
export function expectedHunyuanClip(config: HunyuanClipConfig): ExpectedTensors {
  const { hidden_size: dim, intermediate_size: wide } = config;
  const shapes = new Map<string, readonly number[]>();
  const biased = (name: string, out: number, ...rest: number[]) => {
    shapes.set(`${name}.weight`, [out, ...rest]);
    shapes.set(`${name}.bias`, [out]);
  };
  shapes.set('embeddings.word_embeddings.weight', [config.vocab_size, dim]);
  shapes.set('embeddings.position_embeddings.weight', [config.max_position_embeddings, dim]);
  shapes.set('embeddings.token_type_embeddings.weight', [config.type_vocab_size, dim]);
  biased('embeddings.LayerNorm', dim);
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = `encoder.layer.${i}`;
    for (const part of ['query', 'key', 'value']) biased(`${layer}.attention.self.${part}`, dim, dim);
    biased(`${layer}.attention.output.dense`, dim, dim);
    biased(`${layer}.attention.output.LayerNorm`, dim);
    biased(`${layer}.intermediate.dense`, wide, dim);
    biased(`${layer}.output.dense`, dim, wide);
    biased(`${layer}.output.LayerNorm`, dim);
  }
  return shapes;
}
