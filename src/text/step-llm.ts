/**
 * Step-LLM: a causal decoder with grouped queries, no biases, no final norm and no head. Ids → the raw residual stream.
 * Needs no mask: padding follows the text, and nothing looks ahead. Does not know tokenizers or files.
 */
import { embedding, linear, type Module } from '../nn/linear.ts';
import { rmsNorm } from '../nn/norm.ts';
import type { Initial, Scope } from '../nn/scope.ts';
import {
  type AttentionForm,
  add,
  attention,
  dim,
  mul,
  reshape,
  silu,
  slice,
  type Tensor,
  transpose,
} from '../tensor/index.ts';
import type { StepLlmConfig } from '../weights/component-config.ts';
import { sqrtAlibiBias } from './alibi.ts';
import type { Observe } from './hunyuan-clip.ts';

/** The feed-forward's width is rounded up to a multiple of this. */
const WIDTH_STEP = 256;

/** The encoder in the parts that run one after another. */
export type StepLlmParts = {
  /** ids int32 [B, L] -> [B, L, hidden]. */
  readonly words: Module;
  /** States and the bias of `sqrtAlibiBias` -> states. */
  readonly layers: readonly ((states: Tensor, bias: Tensor) => Tensor)[];
};

/** Declares the encoder's weights under `scope`. */
export function stepLlmParts(scope: Scope, config: StepLlmConfig, form: AttentionForm): StepLlmParts {
  const { hidden_size: width, num_layers } = config;
  // The stream has no norm of its own, so words must not start small against what layers add to them.
  const words = embedding(scope.at('tok_embeddings').at('word_embeddings'), config.padded_vocab_size, width, {
    normal: 1,
  });
  const layers = Array.from({ length: num_layers }, (_, i) =>
    layer(scope.at('transformer').at('layers').at(i), config, form),
  );
  return { words, layers };
}

/** Declares the encoder's weights under `scope`; returns ids int32 [B, L] → states [B, L, hidden]. */
export function stepLlm(
  scope: Scope,
  config: StepLlmConfig,
  form: AttentionForm,
): (ids: Tensor, observe?: Observe) => Tensor {
  const { words, layers } = stepLlmParts(scope, config, form);
  return (ids, observe = () => {}) => {
    const bias = sqrtAlibiBias(config.num_attention_heads, dim(ids.shape, 1));
    let states = words(ids); //                                                           [B, L, hidden]
    observe('tok_embeddings', states);
    layers.forEach((each, i) => {
      states = each(states, bias);
      observe(`layer${i}`, states);
    });
    return states;
  };
}

/** x + attention(norm(x)), then + feed-forward(norm(x)). */
function layer(scope: Scope, config: StepLlmConfig, form: AttentionForm): (x: Tensor, bias: Tensor) => Tensor {
  const { hidden_size: width, layernorm_epsilon: eps } = config;
  const attend = groupedAttention(scope.at('attention'), config, form);
  const feed = feedForward(scope.at('feed_forward'), config);
  const attentionNorm = rmsNorm(scope.at('attention_norm'), width, eps);
  const feedNorm = rmsNorm(scope.at('ffn_norm'), width, eps);
  return (input, bias) => {
    const x = add(input, attend(attentionNorm(input), bias));
    return add(x, feed(feedNorm(x)));
  };
}

/** Layers add up, so each adds less the more there are. */
const residual = (inFeatures: number, layers: number): Initial => ({ normal: 1 / Math.sqrt(2 * layers * inFeatures) });

/** Rows of `wqkv`: all queries, then key and value of each group. Heads of a group follow one another and share its key and value. */
function groupedAttention(
  scope: Scope,
  config: StepLlmConfig,
  form: AttentionForm,
): (x: Tensor, bias: Tensor) => Tensor {
  const { hidden_size: width, num_attention_heads: heads, num_attention_groups: groups, num_layers } = config;
  const headDim = width / heads;
  const wqkv = linear(scope.at('wqkv'), [width, width + 2 * groups * headDim], { bias: false });
  const wo = linear(scope.at('wo'), [width, width], { bias: false, initial: residual(width, num_layers) });
  return (x, bias) => {
    const [batch, length] = x.shape as readonly [number, number, number];
    const projected = wqkv(x);
    const queries = reshape(slice(projected, 2, 0, width), [batch, length, heads, headDim]);
    const pairs = reshape(slice(projected, 2, width, width + 2 * groups * headDim), [
      batch,
      length,
      groups,
      2,
      headDim,
    ]);
    const [k, v] = [0, 1].map((i) =>
      reshape(slice(transpose(pairs, [0, 3, 2, 1, 4]), 1, i, i + 1), [batch, groups, length, headDim]),
    ) as [Tensor, Tensor];
    // The heads of a group stand as further rows of its queries, so that keys and values need no copies.
    const rows = (heads / groups) * length;
    const q = reshape(transpose(queries, [0, 2, 1, 3]), [batch, groups, rows, headDim]);
    const attended = attention(q, k, v, {
      scale: 1 / Math.sqrt(headDim),
      bias: reshape(bias, [1, groups, rows, length]),
      form,
    });
    return wo(
      reshape(transpose(reshape(attended, [batch, heads, length, headDim]), [0, 2, 1, 3]), [batch, length, width]),
    );
  };
}

/** silu(a) · b of the two halves of `w1`, then `w2`. */
function feedForward(scope: Scope, { hidden_size: width, ffn_hidden_size, num_layers }: StepLlmConfig): Module {
  const wide = WIDTH_STEP * Math.ceil(ffn_hidden_size / WIDTH_STEP);
  const w1 = linear(scope.at('w1'), [width, 2 * wide], { bias: false });
  const w2 = linear(scope.at('w2'), [wide, width], { bias: false, initial: residual(wide, num_layers) });
  return (x) => {
    const both = w1(x);
    return w2(mul(silu(slice(both, 2, 0, wide)), slice(both, 2, wide, 2 * wide)));
  };
}
