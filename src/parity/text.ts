/**
 * Recorded sets of the text encoders: states after every layer.
 */
import { Scope } from '../nn/scope.ts';
import { compile } from '../runtime/compile.ts';
import { float32, floats, type Value } from '../runtime/value.ts';
import { type AttentionForm, input, type Tensor } from '../tensor/index.ts';
import { alibiSlopes } from '../text/alibi.ts';
import { hunyuanClip } from '../text/hunyuan-clip.ts';
import { stepLlm } from '../text/step-llm.ts';
import { storedWeights } from '../weights/stored-weights.ts';
import type { TensorSource } from '../weights/tensor-entry.ts';
import { type Comparison, compare } from './compare.ts';
import { type RecordedSet, withRecordedSet } from './vectors.ts';
import { openSetComponent } from './weights.ts';

/** Every recorded stage of Hunyuan-CLIP, set `name` in directory `dir`. */
export function compareClip(dir: string, name: string, form: AttentionForm): Promise<Comparison[]> {
  return withRecordedSet(dir, name, async (recorded) => {
    const { config, source } = await openSetComponent(recorded, 'hunyuan_clip');
    const ids = await recorded.read('input_ids');
    const mask = await recorded.read('attention_mask');
    const feeds = { ids, mask: float32(Float32Array.from(mask.data as Int32Array), mask.shape) };
    const inputs = { ids: input('ids', ids.shape, 'int32'), mask: input('mask', mask.shape) };
    const stages: Record<string, Tensor> = {};
    stages.last_hidden_state = hunyuanClip(
      new Scope(),
      config,
      form,
    )(inputs, (stage, x) => {
      stages[stage] = x;
    });
    return compareStages(recorded, source, stages, feeds);
  });
}

/** Every recorded stage of Step-LLM, and the slopes of its position bias. */
export function compareStepLlm(dir: string, name: string, form: AttentionForm): Promise<Comparison[]> {
  return withRecordedSet(dir, name, async (recorded) => {
    const { config, source } = await openSetComponent(recorded, 'step_llm');
    const ids = await recorded.read('input_ids');
    const stages: Record<string, Tensor> = {};
    stages.output = stepLlm(
      new Scope(),
      config,
      form,
    )(input('ids', ids.shape, 'int32'), (stage, x) => {
      stages[stage] = x;
    });
    const layers = await compareStages(recorded, source, stages, { ids });
    return [...layers, ...compareSlopes(recorded)];
  });
}

/** Slopes of the position bias, by number of heads. */
function compareSlopes({ info }: RecordedSet): Comparison[] {
  const slopes = Object.entries((info.alibi_slopes ?? {}) as Record<string, number[]>);
  return slopes.map(([heads, recorded]) => compare(`alibi_slopes.${heads}`, alibiSlopes(Number(heads)), recorded));
}

async function compareStages(
  recorded: RecordedSet,
  source: TensorSource,
  stages: Record<string, Tensor>,
  feeds: Record<string, Value>,
): Promise<Comparison[]> {
  const graph = await compile(stages, { device: 'cpu', weights: await storedWeights(source), threads: 1 });
  const results = await graph.run(feeds);
  await graph.dispose();
  const comparisons: Comparison[] = [];
  for (const [stage, value] of Object.entries(results))
    comparisons.push(
      compare(stage, floats(value), floats(await recorded.read(stage)), { deviation: recorded.deviation(stage) }),
    );
  return comparisons;
}
