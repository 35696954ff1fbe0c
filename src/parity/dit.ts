/**
 * Recorded sets of the denoiser: every stage of a forward pass, and the gradient of the flow-matching loss for every weight.
 */
import { join } from 'node:path';
import { textBias } from '../dit/load.ts';
import { type DitInputs, ditVelocity } from '../dit/model.ts';
import { TIMESTEP_CHANNELS, timestepSinusoid } from '../dit/timestep.ts';
import { Scope } from '../nn/scope.ts';
import { compile } from '../runtime/compile.ts';
import { float32, floats, type Value } from '../runtime/value.ts';
import { type AttentionForm, dim, grad, input, mean, square, sub, type Tensor, transpose } from '../tensor/index.ts';
import { openComponent } from '../weights/checkpoint.ts';
import { parseConfig, type TransformerConfig } from '../weights/component-config.ts';
import { storedWeights } from '../weights/stored-weights.ts';
import { openWeights } from '../weights/weight-file.ts';
import { type Comparison, compare, compareSampled } from './compare.ts';
import { openRecordedSet, type RecordedSet, requireAllRead } from './vectors.ts';

/** Every recorded stage of forward set `name` in directory `dir`. */
export async function compareDitForward(dir: string, name: string, form: AttentionForm): Promise<Comparison[]> {
  const recorded = await openRecordedSet(dir, name);
  const { config, weights } = await openModel(dir, recorded);
  const feeds = { latents: await recorded.read('hidden_states'), ...(await conditions(recorded)) };

  const stages: Record<string, Tensor> = {};
  const output = ditVelocity(
    new Scope(),
    config,
    form,
  )(inputsOf(feeds), (stage, x) => {
    // Recorded with heads last but one.
    if (recorded.names.has(stage)) stages[stage] = /[qk]_norm$/.test(stage) ? transpose(x, [0, 2, 1, 3]) : x;
  });
  const graph = await compile({ ...stages, output }, { device: 'cpu', weights, threads: 1 });
  const results = await graph.run(feeds);
  await graph.dispose();

  const comparisons: Comparison[] = [];
  for (const [stage, value] of Object.entries(results))
    comparisons.push(
      compare(stage, floats(value), floats(await recorded.read(stage)), { deviation: recorded.deviation(stage) }),
    );
  requireAllRead(recorded);
  await recorded.close();
  return comparisons;
}

/** The flow-matching loss of set `name`, and its gradient for every weight of the transformer. */
export async function compareFlowGradients(dir: string, name: string): Promise<Comparison[]> {
  const recorded = await openRecordedSet(dir, name);
  const { config, weights } = await openModel(dir, recorded);
  const { latents, velocity } = flowPair(
    await recorded.read('x0'),
    await recorded.read('x1'),
    await recorded.read('timestep'),
  );
  const feeds = { latents, ...(await conditions(recorded)) };

  const scope = new Scope();
  const predicted = ditVelocity(scope, config, 'primitive')(inputsOf(feeds));
  const loss = mean(square(sub(predicted, input('velocity', velocity.shape))));
  const names = [...scope.tensors.keys()];
  const gradients = grad(loss, [...scope.tensors.values()]);
  const outputs = Object.fromEntries(names.map((weight, i) => [`flow.grad.${weight}`, gradients[i] as Tensor]));
  const graph = await compile({ 'flow.loss': loss, ...outputs }, { device: 'cpu', weights, threads: 1 });
  const results = await graph.run({ ...feeds, velocity });
  await graph.dispose();

  const comparisons: Comparison[] = [];
  for (const [tensor, value] of Object.entries(results))
    comparisons.push(
      compareSampled(tensor, floats(value), {
        samples: floats(await recorded.read(tensor)),
        stats: recorded.stats(tensor),
        deviation: recorded.deviation(tensor),
      }),
    );
  await recorded.close();
  return comparisons;
}

/** x = (1 - t) x0 + t x1 and v = x1 - x0; t of each sample. */
function flowPair(x0: Value, x1: Value, t: Value): { latents: Value; velocity: Value } {
  const [from, to, times] = [floats(x0), floats(x1), floats(t)];
  const each = from.length / times.length;
  const at = (i: number): number => times[Math.floor(i / each)] as number;
  const mixed = from.map((v, i) => Math.fround(Math.fround(1 - at(i)) * v) + Math.fround(at(i) * (to[i] as number)));
  return {
    latents: float32(mixed, x0.shape),
    velocity: float32(
      to.map((v, i) => v - (from[i] as number)),
      x0.shape,
    ),
  };
}

/** Time and text of a set, as the graph takes them. */
async function conditions(recorded: RecordedSet) {
  const times = floats(await recorded.read('timestep'));
  const llm = await recorded.read('encoder_hidden_states');
  const clip = await recorded.read('encoder_hidden_states_2');
  const mask = await recorded.read('encoder_attention_mask');
  const clipLength = dim(clip.shape, 1);
  const total = dim(mask.shape, 1);
  const lengths = Array.from(times, (_, b) => {
    const row = floats(mask).subarray(b * total, (b + 1) * total);
    return row.reduce((sum, v) => sum + v, 0) - clipLength;
  });
  const timestep = float32(timestepSinusoid(times), [times.length, TIMESTEP_CHANNELS]);
  return { timestep, llm, clip, textBias: textBias(lengths, clipLength) };
}

const inputsOf = (feeds: Record<keyof DitInputs, Value>): DitInputs =>
  Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, input(name, value.shape)])) as DitInputs;

/** Config and weights of a set, in a checkpoint folder or a file of their own. */
async function openModel(dir: string, { info }: RecordedSet) {
  const path = info.weights ?? 'checkpoint/transformer';
  if (!path.endsWith('.safetensors')) {
    const { config, source } = await openComponent(join(dir, path, '..'), 'transformer');
    const weights = await storedWeights(source);
    await source.close();
    return { config: info.config === undefined ? config : configOf(info), weights };
  }
  const source = await openWeights(join(dir, path));
  const weights = await storedWeights(source);
  await source.close();
  return { config: configOf(info), weights };
}

const configOf = (info: RecordedSet['info']): TransformerConfig =>
  parseConfig('transformer', info.config, 'recorded set');
