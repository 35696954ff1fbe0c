/**
 * Both text encoders of a checkpoint, ready to run. Knows their files and graphs; does not know prompts or tokenizers.
 */
import { Scope } from '../nn/scope.ts';
import { compile } from '../runtime/compile.ts';
import { compileCache } from '../runtime/compile-cache.ts';
import { capabilitiesOf, type Device } from '../runtime/device.ts';
import { compileStages, type Placement, type Runner, type StagedNetwork, WHOLE, whole } from '../runtime/stages.ts';
import type { Value } from '../runtime/value.ts';
import { input, type Shape, type Tensor } from '../tensor/index.ts';
import { checkComponent, openComponent } from '../weights/checkpoint.ts';
import type { HunyuanClipConfig, StepLlmConfig } from '../weights/component-config.ts';
import { mappedWeights, storedWeights } from '../weights/stored-weights.ts';
import type { TensorSource } from '../weights/tensor-entry.ts';
import { encoderFeeds, type TextEmbedding, type TextTokens } from './encode.ts';
import { hunyuanClip } from './hunyuan-clip.ts';
import { clipStages, stepLlmStages } from './stages.ts';
import { stepLlm } from './step-llm.ts';

export interface TextEncoders {
  readonly config: { readonly llm: StepLlmConfig; readonly clip: HunyuanClipConfig };
  /** States of a batch of texts. */
  encode(tokens: readonly TextTokens[], options?: EncodeOptions): Promise<TextEmbedding>;
  /** States [B, L, D] of one encoder alone. */
  encodeOne(encoder: 'llm' | 'clip', tokens: readonly TextTokens[]): Promise<Value>;
  /** Frees the compiled graphs and closes the files. */
  close(): Promise<void>;
}

export type EncodeOptions = {
  /** Computes Step-LLM's padding too, which the denoiser never sees. */
  readonly whole?: boolean;
  /** Stops between stages, where weights are held by stages. */
  readonly signal?: AbortSignal | undefined;
};

type RunOptions = { readonly device: Device; readonly threads?: number | undefined };
export type TextOptions = RunOptions & {
  /** How the weights of each encoder are held: all in one graph unless said. */
  readonly placement?: { readonly llm: Placement; readonly clip: Placement } | undefined;
};

/** Texts differ in length, and each length is a graph of its own. */
const KEPT_GRAPHS = 2;

/** Opens both encoders of checkpoint directory `dir` and checks that each holds exactly the tensors of its config; weights are read on first use. */
export async function loadTextEncoders(dir: string, options: TextOptions): Promise<TextEncoders> {
  const { placement = { llm: WHOLE, clip: WHOLE }, ...runtime } = options;
  const [llm, clip] = await Promise.all([openComponent(dir, 'step_llm'), openComponent(dir, 'hunyuan_clip')]);
  checkComponent(llm);
  checkComponent(clip);
  const form = capabilitiesOf(options.device).attention;
  const runLlm = await runner<'ids'>(llm.source, runtime, {
    placement: placement.llm,
    forward: ({ ids }) => stepLlm(new Scope(), llm.config, form)(ids),
    stages: ({ ids }) => stepLlmStages(llm.config, form, ids),
  });
  const runClip = await runner<'ids' | 'mask'>(clip.source, runtime, {
    placement: placement.clip,
    forward: ({ ids, mask }) => hunyuanClip(new Scope(), clip.config, form)({ ids, mask }),
    stages: ({ ids }) => clipStages(clip.config, form, ids),
  });
  const limits = {
    llm: { vocabulary: llm.config.padded_vocab_size, positions: Number.POSITIVE_INFINITY },
    clip: { vocabulary: clip.config.vocab_size, positions: clip.config.max_position_embeddings },
  };
  return {
    config: { llm: llm.config, clip: clip.config },
    async encode(tokens, { whole = false, signal } = {}) {
      const feeds = encoderFeeds(tokens, limits, whole);
      return {
        llm: await runLlm.run(feeds.llm, signal),
        clip: await runClip.run(feeds.clip, signal),
        lengths: tokens.map((text) => text.llm.length),
      };
    },
    async encodeOne(encoder, tokens) {
      const feeds = encoderFeeds(tokens, limits);
      return encoder === 'llm' ? runLlm.run(feeds.llm) : runClip.run(feeds.clip);
    },
    async close() {
      await Promise.all([runLlm.close(), runClip.close()]);
    },
  };
}

type Encoder<Names extends string> = {
  readonly placement: Placement;
  /** The network in one graph, and in stages, which take the shapes of its inputs. */
  forward(inputs: Readonly<Record<Names, Tensor>>): Tensor;
  stages(shapes: Readonly<Record<Names, Shape>>): StagedNetwork;
};

/** An encoder over feeds of any size, compiled for each size that comes. */
async function runner<Names extends string>(
  source: TensorSource,
  options: RunOptions,
  { placement, forward, stages }: Encoder<Names>,
) {
  const graphs = compileCache<'states', Runner<'states'>>(KEPT_GRAPHS);
  const mapped = placement.weights === 'stages' ? await mappedWeights(source) : undefined;
  const build = async (feeds: Readonly<Record<Names, Value>>): Promise<Runner<'states'>> => {
    if (placement.weights === 'stages' && mapped !== undefined) {
      const shapes = Object.fromEntries(Object.entries<Value>(feeds).map(([name, { shape }]) => [name, shape]));
      const flow = { fed: Object.keys(feeds), result: 'states' } as const;
      const staged = stages(shapes as Record<Names, Shape>);
      return compileStages(staged, flow, { ...options, ...mapped, held: placement.held });
    }
    const inputs = Object.fromEntries(
      Object.entries<Value>(feeds).map(([name, value]) => [name, input(name, value.shape, value.dtype)]),
    );
    const states = forward(inputs as Record<Names, Tensor>);
    return whole(
      await compile({ states }, { ...options, weights: await storedWeights(source), computeDtype: 'device' }),
    );
  };
  return {
    async run(feeds: Readonly<Record<Names, Value>>, signal?: AbortSignal): Promise<Value> {
      const key = Object.values<Value>(feeds)
        .map((value) => value.shape.join('x'))
        .join(' ');
      return (await (await graphs.get(key, () => build(feeds))).run(feeds, { signal })).states;
    },
    async close(): Promise<void> {
      await graphs.dispose();
      await mapped?.files.close();
      await source.close();
    },
  };
}
