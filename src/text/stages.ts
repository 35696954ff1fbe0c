/**
 * Both text encoders as stages: words, then each layer, with states between them. The same parts as in one graph.
 */
import { Scope } from '../nn/scope.ts';
import type { Stage, StagedNetwork } from '../runtime/stages.ts';
import { float32 } from '../runtime/value.ts';
import { type AttentionForm, dim, input, type Shape, type Tensor } from '../tensor/index.ts';
import type { HunyuanClipConfig, StepLlmConfig } from '../weights/component-config.ts';
import { sqrtAlibiTable } from './alibi.ts';
import { clipBias, clipParts } from './hunyuan-clip.ts';
import { stepLlmParts } from './step-llm.ts';

type Layers = readonly ((states: Tensor, bias: Tensor) => Tensor)[];

function chain(entered: Tensor, layers: Layers, bias: Tensor): Stage[] {
  const states = input('states', entered.shape);
  return [
    { name: 'words', outputs: { states: entered } },
    ...layers.map((layer, i) => ({ name: `layer ${i}`, outputs: { states: layer(states, bias) } })),
  ];
}

/** Step-LLM over ids of shape [B, L]; the last stage gives `states`. */
export function stepLlmStages(config: StepLlmConfig, form: AttentionForm, ids: Shape): StagedNetwork {
  const { words, layers } = stepLlmParts(new Scope(), config, form);
  const [heads, length] = [config.num_attention_heads, dim(ids, 1)];
  const bias = [heads, length, length];
  return {
    stages: chain(words(input('ids', ids, 'int32')), layers, input('bias', bias)),
    constants: { bias: float32(sqrtAlibiTable(heads, length), bias) },
  };
}

/** Hunyuan-CLIP over ids and mask of shape [B, L]; the last stage gives `states`. */
export function clipStages(config: HunyuanClipConfig, form: AttentionForm, ids: Shape): StagedNetwork {
  const { embed, layers } = clipParts(new Scope(), config, form);
  return {
    stages: chain(embed(input('ids', ids, 'int32')), layers, clipBias(input('mask', ids), form)),
    constants: {},
  };
}
