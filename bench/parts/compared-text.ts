/**
 * Both text encoders as sides of a comparison, at one text of full length.
 */
import { flopsOf } from '../../src/machine/graph-flops.ts';
import { Scope } from '../../src/nn/scope.ts';
import { compile } from '../../src/runtime/compile.ts';
import { float32, floats, int32, type Value, type Values } from '../../src/runtime/value.ts';
import { input, type Tensor } from '../../src/tensor/index.ts';
import { alibiSlopes } from '../../src/text/alibi.ts';
import { hunyuanClip } from '../../src/text/hunyuan-clip.ts';
import { stepLlm } from '../../src/text/step-llm.ts';
import { parseConfig } from '../../src/weights/component-config.ts';
import type { Comparison } from './compared-denoiser.ts';
import type { PeerModel } from './pytorch-peer.ts';
import { scatteredValues } from './random-checkpoint.ts';

type Size = { readonly width: number; readonly layers: number; readonly threads: number };

const VOCABULARY = 1000;
const ids = (length: number): Value =>
  int32(
    Int32Array.from({ length }, (_, i) => (i * 37) % VOCABULARY),
    [1, length],
  );

/** Step-LLM over 320 tokens; heads of 64, a group for every two. */
export async function llmEncoder({ width, layers, threads }: Size): Promise<Comparison> {
  const heads = width / 64;
  const sizes = {
    hidden_size: width,
    num_layers: layers,
    num_attention_heads: heads,
    num_attention_groups: heads / 2,
    ffn_hidden_size: 3 * width,
    layernorm_epsilon: 1e-5,
    padded_vocab_size: VOCABULARY,
    seq_length: 320,
  };
  const config = parseConfig('step_llm', sizes, 'bench');
  const scope = new Scope();
  const states = stepLlm(scope, config, 'fused')(input('ids', [1, 320], 'int32'));
  const model = { name: `Step-LLM, d ${width} x ${layers}, 320 tokens`, kind: 'step-llm' as const };
  return encoder(
    { ...model, config: { ...sizes, slopes: alibiSlopes(heads) }, inputs: { ids: ids(320) } },
    { scope, states, threads },
  );
}

/** Hunyuan-CLIP over 77 tokens, all attended; heads of 64. */
export async function clipEncoder({ width, layers, threads }: Size): Promise<Comparison> {
  const sizes = {
    hidden_size: width,
    intermediate_size: 4 * width,
    num_hidden_layers: layers,
    num_attention_heads: width / 64,
    max_position_embeddings: 77,
    type_vocab_size: 2,
    vocab_size: VOCABULARY,
    layer_norm_eps: 1e-12,
    hidden_act: 'gelu',
  };
  const config = parseConfig('hunyuan_clip', sizes, 'bench');
  const scope = new Scope();
  const states = hunyuanClip(
    scope,
    config,
    'fused',
  )({ ids: input('ids', [1, 77], 'int32'), mask: input('mask', [1, 77]) });
  const mask = float32(new Float32Array(77).fill(1), [1, 77]);
  const model = { name: `Hunyuan-CLIP, d ${width} x ${layers}, 77 tokens`, kind: 'bert' as const };
  return encoder({ ...model, config: sizes, inputs: { ids: ids(77), mask } }, { scope, states, threads });
}

async function encoder(
  peer: Omit<PeerModel, 'weights'>,
  { scope, states, threads }: { scope: Scope; states: Tensor; threads: number },
): Promise<Comparison> {
  const weights = scatteredValues(scope);
  const plan = (name: string) => {
    const { data } = weights.get(name)!;
    return { dtype: 'float32' as const, bytes: new Uint8Array((data as Float32Array).slice().buffer) };
  };
  const executable = await compile({ states }, { device: 'cpu', threads, weights: plan });
  const feeds: Values = peer.inputs;
  return {
    peer: { ...peer, weights },
    flops: flopsOf([states]),
    run: async () => floats((await executable.run(feeds)).states),
    dispose: () => executable.dispose(),
  };
}
