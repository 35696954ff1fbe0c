/**
 * Hunyuan-CLIP, a BERT: bidirectional, norms after each half of a layer, no pooler. Ids and mask → states of every position.
 * Does not know tokenizers or files.
 */
import { embedding, linear, type Module } from '../nn/linear.ts';
import { layerNorm } from '../nn/norm.ts';
import type { Scope } from '../nn/scope.ts';
import {
  type AttentionForm,
  add,
  attention,
  dim,
  expand,
  gelu,
  mul,
  reshape,
  slice,
  sub,
  type Tensor,
  transpose,
} from '../tensor/index.ts';
import type { HunyuanClipConfig } from '../weights/component-config.ts';

export type Observe = (name: string, states: Tensor) => void;

/** Far below every logit. */
const NOT_ATTENDED = -1e9;

export type ClipInputs = {
  /** int32 [B, L]. */
  readonly ids: Tensor;
  /** float32 [B, L]: 1 where a position is attended, 0 where it is padding; padding has states too. */
  readonly mask: Tensor;
};

/** The encoder in the parts that run one after another. */
export type ClipParts = {
  /** ids int32 [B, L] -> [B, L, hidden]. */
  readonly embed: Module;
  /** States and the bias of `clipBias` -> states. */
  readonly layers: readonly ((states: Tensor, bias: Tensor) => Tensor)[];
};

/** Declares the encoder's weights under `scope`. */
export function clipParts(scope: Scope, config: HunyuanClipConfig, form: AttentionForm): ClipParts {
  const embed = embeddings(scope.at('embeddings'), config);
  const layers = Array.from({ length: config.num_hidden_layers }, (_, i) =>
    layer(scope.at('encoder').at('layer').at(i), config, form),
  );
  return { embed, layers };
}

/** Added to attention logits where keys have the mask [B, L]. Fused kernels want a row for every query. */
export function clipBias(mask: Tensor, form: AttentionForm): Tensor {
  const [batch, length] = mask.shape as readonly [number, number];
  const keys = mul(sub(1, reshape(mask, [batch, 1, 1, length])), NOT_ATTENDED);
  return form !== 'primitive' ? expand(keys, [batch, 1, length, length]) : keys;
}

/** Declares the encoder's weights under `scope`; returns ids and mask → states [B, L, hidden]. */
export function hunyuanClip(
  scope: Scope,
  config: HunyuanClipConfig,
  form: AttentionForm,
): (inputs: ClipInputs, observe?: Observe) => Tensor {
  const { embed, layers } = clipParts(scope, config, form);
  return ({ ids, mask }, observe = () => {}) => {
    const bias = clipBias(mask, form);
    let states = embed(ids); //                                                           [B, L, hidden]
    observe('embeddings', states);
    layers.forEach((each, i) => {
      states = each(states, bias);
      observe(`encoder.layer.${i}`, states);
    });
    return states;
  };
}

/** Word, position and type 0, summed and normed. */
function embeddings(scope: Scope, config: HunyuanClipConfig): Module {
  const { hidden_size: width, max_position_embeddings: positions } = config;
  const small = { normal: 0.02 };
  const words = embedding(scope.at('word_embeddings'), config.vocab_size, width);
  const position = scope.at('position_embeddings').parameter('weight', [positions, width], small);
  const type = scope.at('token_type_embeddings').parameter('weight', [config.type_vocab_size, width], small);
  const norm = layerNorm(scope.at('LayerNorm'), width, { eps: config.layer_norm_eps });
  return (ids) => norm(add(add(words(ids), slice(type, 0, 0, 1)), slice(position, 0, 0, dim(ids.shape, 1))));
}

/** norm(x + attention(x)), then norm(x + feed-forward(x)). */
function layer(scope: Scope, config: HunyuanClipConfig, form: AttentionForm): (x: Tensor, bias: Tensor) => Tensor {
  const { hidden_size: width, intermediate_size: wide, layer_norm_eps: eps } = config;
  const attend = selfAttention(scope.at('attention').at('self'), config, form);
  const attentionOut = linear(scope.at('attention').at('output').at('dense'), [width, width]);
  const attentionNorm = layerNorm(scope.at('attention').at('output').at('LayerNorm'), width, { eps });
  const widen = linear(scope.at('intermediate').at('dense'), [width, wide]);
  const narrow = linear(scope.at('output').at('dense'), [wide, width]);
  const outputNorm = layerNorm(scope.at('output').at('LayerNorm'), width, { eps });
  return (x, bias) => {
    const h = attentionNorm(add(x, attentionOut(attend(x, bias))));
    return outputNorm(add(h, narrow(gelu(widen(h), 'none'))));
  };
}

function selfAttention(
  scope: Scope,
  config: HunyuanClipConfig,
  form: AttentionForm,
): (x: Tensor, bias: Tensor) => Tensor {
  const { hidden_size: width, num_attention_heads: heads } = config;
  const headDim = width / heads;
  const [query, key, value] = ['query', 'key', 'value'].map((name) => linear(scope.at(name), [width, width])) as [
    Module,
    Module,
    Module,
  ];
  return (x, bias) => {
    const [batch, length] = x.shape as readonly [number, number, number];
    const apart = (y: Tensor): Tensor => transpose(reshape(y, [batch, length, heads, headDim]), [0, 2, 1, 3]);
    const options = { scale: 1 / Math.sqrt(headDim), bias, form };
    const attended = attention(apart(query(x)), apart(key(x)), apart(value(x)), options);
    return reshape(transpose(attended, [0, 2, 1, 3]), [batch, length, width]);
  };
}
