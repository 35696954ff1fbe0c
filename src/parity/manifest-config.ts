/**
 * From names and shapes back to a component and a config that has them. Knows which tensor tells which size.
 */
import { checkpointError } from '../errors.ts';
import { type Component, type ComponentConfigs, parseConfig } from '../weights/component-config.ts';
import { inferVaeConfig } from '../weights/vae-manifest.ts';

type Shapes = Readonly<Record<string, readonly number[]>>;
export type SomeConfig = { [C in Component]: { component: C; config: ComponentConfigs[C] } }[Component];

/** Head counts leave no trace where only their products do; any that fit are taken. Throws a checkpoint error that names `file`. */
export function manifestConfig(tensors: Shapes, file: string): SomeConfig {
  const size = (name: string, axis: number): number => {
    const found = tensors[name]?.[axis];
    if (found === undefined) throw checkpointError(`manifest ${file}`, `must hold ${name}`, tensors[name] ?? 'nothing');
    return found;
  };
  const count = (prefix: string): number =>
    new Set(
      Object.keys(tensors).flatMap((name) =>
        name.startsWith(prefix) ? [name.slice(prefix.length).split('.')[0]] : [],
      ),
    ).size;
  const parsed = <C extends Component>(component: C, config: object) => ({
    component,
    config: parseConfig(component, config, file),
  });
  if (tensors.scale_shift_table) {
    const head = size('transformer_blocks.0.attn1.q_norm.weight', 0);
    const patch = size('pos_embed.proj.weight', 2);
    const caption = size('caption_projection.linear_1.weight', 1);
    const clip = tensors['clip_projection.weight']?.[1];
    return parsed('transformer', {
      attention_head_dim: head,
      num_attention_heads: size('scale_shift_table', 1) / head,
      num_layers: count('transformer_blocks.'),
      patch_size: patch,
      in_channels: size('pos_embed.proj.weight', 1),
      out_channels: size('proj_out.weight', 0) / patch ** 2,
      caption_channels: clip === undefined ? caption : [caption, clip],
      // Any split has these shapes.
      rope_ch_split: head % 8 === 0 ? [head / 2, head / 4, head / 4] : [head - 4, 2, 2],
    });
  }
  if (tensors['encoder.conv_in.conv.weight']) {
    const named = Object.entries(tensors).map(([name, shape]) => [name, { shape }] as const);
    return { component: 'vae', config: inferVaeConfig(new Map(named), file) };
  }
  if (tensors['tok_embeddings.word_embeddings.weight']) {
    const width = size('tok_embeddings.word_embeddings.weight', 1);
    const keys = (size('transformer.layers.0.attention.wqkv.weight', 0) - width) / 2;
    return parsed('step_llm', {
      hidden_size: width,
      num_layers: count('transformer.layers.'),
      num_attention_heads: width / keys,
      num_attention_groups: 1,
      ffn_hidden_size: size('transformer.layers.0.feed_forward.w2.weight', 1),
      padded_vocab_size: size('tok_embeddings.word_embeddings.weight', 0),
    });
  }
  const [words, dim] = ['embeddings.word_embeddings.weight', 'encoder.layer.0.intermediate.dense.weight'].map(
    (name) => `bert.${name}`,
  ) as [string, string];
  return parsed('hunyuan_clip', {
    hidden_size: size(words, 1),
    vocab_size: size(words, 0),
    num_hidden_layers: count('bert.encoder.layer.'),
    num_attention_heads: 1,
    intermediate_size: size(dim, 0),
    max_position_embeddings: size('bert.embeddings.position_embeddings.weight', 0),
    type_vocab_size: size('bert.embeddings.token_type_embeddings.weight', 0),
  });
}
