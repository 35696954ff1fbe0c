/**
 * Recorded forward passes of the denoiser, stage by stage; and what its recorded training shares with them.
 */
import { textBias } from '../dit/load.ts';
import { type DitInputs, ditVelocity } from '../dit/model.ts';
import { TIMESTEP_CHANNELS, timestepSinusoid } from '../dit/timestep.ts';
import { Scope } from '../nn/scope.ts';
import { compile } from '../runtime/compile.ts';
import { float32, floats, type Value } from '../runtime/value.ts';
import { type AttentionForm, dim, input, type Tensor, transpose } from '../tensor/index.ts';
import { storedWeights } from '../weights/stored-weights.ts';
import { type Comparison, compare } from './compare.ts';
import { type RecordedSet, withRecordedSet } from './vectors.ts';
import { openSetComponent } from './weights.ts';

/** Every recorded stage of forward set `name` in directory `dir`. */
export function compareDitForward(dir: string, name: string, form: AttentionForm): Promise<Comparison[]> {
  return withRecordedSet(dir, name, async (recorded) => {
    const { config, source } = await openSetComponent(recorded, 'transformer');
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
    const weights = await storedWeights(source);
    const graph = await compile({ ...stages, output }, { device: 'cpu', weights, threads: 1 });
    const results = await graph.run(feeds);
    await graph.dispose();

    const comparisons: Comparison[] = [];
    for (const [stage, value] of Object.entries(results))
      comparisons.push(
        compare(stage, floats(value), floats(await recorded.read(stage)), { deviation: recorded.deviation(stage) }),
      );
    return comparisons;
  });
}

/** x = (1 - t) x0 + t x1 and v = x1 - x0; t of each sample. */
export function flowPair(x0: Value, x1: Value, t: Value): { latents: Value; velocity: Value } {
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
export async function conditions(recorded: RecordedSet) {
  const times = floats(await recorded.read('timestep'));
  const llm = await recorded.read('encoder_hidden_states');
  const hasClip = recorded.names.has('encoder_hidden_states_2');
  const clip = hasClip ? await recorded.read('encoder_hidden_states_2') : undefined;
  const mask = await recorded.read('encoder_attention_mask');
  const clipLength = clip === undefined ? 0 : dim(clip.shape, 1);
  const total = dim(mask.shape, 1);
  const lengths = Array.from(times, (_, b) => {
    const row = Array.from(mask.data as Float32Array | Int32Array).slice(b * total, (b + 1) * total);
    return row.reduce((sum, v) => sum + v, 0) - clipLength;
  });
  const timestep = float32(timestepSinusoid(times), [times.length, TIMESTEP_CHANNELS]);
  return { timestep, llm, ...(clip && { clip }), textBias: textBias(lengths, clipLength) };
}

type Feeds = Record<Exclude<keyof DitInputs, 'clip'>, Value> & { clip?: Value };

/** A graph leaf for each feed. */
export const inputsOf = (feeds: Feeds): DitInputs =>
  Object.fromEntries(
    Object.entries<Value>(feeds).map(([name, value]) => [name, input(name, value.shape)]),
  ) as DitInputs;
