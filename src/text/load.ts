/**
 * Both text encoders of a checkpoint, ready to run. Knows their files and graphs; does not know prompts or tokenizers.
 */
import { Scope } from '../nn/scope.ts';
import { compile } from '../runtime/compile.ts';
import { compileCache } from '../runtime/compile-cache.ts';
import { capabilitiesOf, type Device } from '../runtime/device.ts';
import type { Value } from '../runtime/value.ts';
import { input, type Tensor } from '../tensor/index.ts';
import { checkComponent, openComponent } from '../weights/checkpoint.ts';
import type { HunyuanClipConfig, StepLlmConfig } from '../weights/component-config.ts';
import { storedWeights } from '../weights/stored-weights.ts';
import type { TensorSource } from '../weights/tensor-entry.ts';
import { encoderFeeds, type TextEmbedding, type TextTokens } from './encode.ts';
import { hunyuanClip } from './hunyuan-clip.ts';
import { stepLlm } from './step-llm.ts';

export interface TextEncoders {
  readonly config: { readonly llm: StepLlmConfig; readonly clip: HunyuanClipConfig };
  /** States of a batch of texts. `whole` computes Step-LLM's padding too, which the denoiser never sees. */
  encode(tokens: readonly TextTokens[], options?: { whole?: boolean }): Promise<TextEmbedding>;
  /** Frees the compiled graphs and closes the files. */
  close(): Promise<void>;
}

type LoadOptions = { readonly device: Device; readonly threads?: number | undefined };

/** Texts differ in length, and each length is a graph of its own. */
const KEPT_GRAPHS = 2;

/** Opens both encoders of checkpoint directory `dir` and checks that each holds exactly the tensors of its config; weights are read on first use. */
export async function loadTextEncoders(dir: string, options: LoadOptions): Promise<TextEncoders> {
  const [llm, clip] = await Promise.all([openComponent(dir, 'step_llm'), openComponent(dir, 'hunyuan_clip')]);
  checkComponent(llm);
  checkComponent(clip);
  const form = capabilitiesOf(options.device).attention;
  const runLlm = runner<'ids'>(llm.source, options, ({ ids }) => stepLlm(new Scope(), llm.config, form)(ids));
  const runClip = runner<'ids' | 'mask'>(clip.source, options, ({ ids, mask }) =>
    hunyuanClip(new Scope(), clip.config, form)({ ids, mask }),
  );
  const limits = {
    llm: { vocabulary: llm.config.padded_vocab_size, positions: Number.POSITIVE_INFINITY },
    clip: { vocabulary: clip.config.vocab_size, positions: clip.config.max_position_embeddings },
  };
  return {
    config: { llm: llm.config, clip: clip.config },
    async encode(tokens, { whole = false } = {}) {
      const feeds = encoderFeeds(tokens, limits, whole);
      return {
        llm: await runLlm.run(feeds.llm),
        clip: await runClip.run(feeds.clip),
        lengths: tokens.map((text) => text.llm.length),
      };
    },
    async close() {
      await Promise.all([runLlm.close(), runClip.close()]);
    },
  };
}

/** An encoder over feeds of any size, compiled for each size that comes. */
function runner<Names extends string>(
  source: TensorSource,
  options: LoadOptions,
  forward: (inputs: Readonly<Record<Names, Tensor>>) => Tensor,
) {
  const graphs = compileCache<'states'>(KEPT_GRAPHS);
  const build = async (feeds: Readonly<Record<Names, Value>>) => {
    const inputs = Object.fromEntries(
      Object.entries<Value>(feeds).map(([name, value]) => [name, input(name, value.shape, value.dtype)]),
    );
    const states = forward(inputs as Record<Names, Tensor>);
    return compile({ states }, { ...options, weights: await storedWeights(source), computeDtype: 'device' });
  };
  return {
    async run(feeds: Readonly<Record<Names, Value>>): Promise<Value> {
      const key = Object.values<Value>(feeds)
        .map((value) => value.shape.join('x'))
        .join(' ');
      return (await (await graphs.get(key, () => build(feeds))).run(feeds)).states;
    },
    async close(): Promise<void> {
      await graphs.dispose();
      await source.close();
    },
  };
}
