/**
 * The denoiser of a checkpoint, ready to run: one compiled graph for each size of latents and text.
 * Knows neither guidance nor samplers; whoever calls it stacks conditional and unconditional samples in one batch.
 */
import { inputError, internalError } from '../errors.ts';
import { Scope } from '../nn/scope.ts';
import { compile } from '../runtime/compile.ts';
import { compileCache } from '../runtime/compile-cache.ts';
import { capabilitiesOf, type Device } from '../runtime/device.ts';
import { compileStages, type Placement, type Runner, WHOLE, whole } from '../runtime/stages.ts';
import { float32, floats, type Value } from '../runtime/value.ts';
import { dim, input, type Shape, type Tensor } from '../tensor/index.ts';
import { checkComponent, openComponent } from '../weights/checkpoint.ts';
import type { TransformerConfig } from '../weights/component-config.ts';
import { mappedWeights, storedWeights } from '../weights/stored-weights.ts';
import { type DitInputs, ditVelocity } from './model.ts';
import { ditStages } from './stages.ts';
import { cachedGraphs, cachedRunner, type StepCache } from './step-cache.ts';
import { TIMESTEP_CHANNELS, timestepSinusoid } from './timestep.ts';

/** Text states of a batch, as cross-attention takes them. */
export type DitText = {
  /** Step-LLM states [B, L1, D1]. */
  readonly llm: Value;
  /** CLIP states [B, L2, D2], all attended; absent where the model has no CLIP path. */
  readonly clip?: Value | undefined;
  /** Valid Step-LLM positions of each sample, at the front; at most L1. */
  readonly lengths: readonly number[];
};

export type VelocityCall = {
  /** [batch, frames, channels, height, width] flat. */
  readonly latents: Float32Array;
  readonly batch: number;
  readonly shape: {
    readonly frames: number;
    readonly channels: number;
    readonly height: number;
    readonly width: number;
  };
  /** In [0, 1]: 0 is noise, 1 is data. One for the whole batch. */
  readonly t: number;
  readonly text: DitText;
  /** Stops between stages, where weights are held by stages. */
  readonly signal?: AbortSignal | undefined;
  /** Of the run that this step belongs to; every step is computed in full without one. */
  readonly cache?: StepCache | undefined;
};

export interface Dit {
  readonly config: TransformerConfig;
  /** Velocity (data - noise) of every sample, flat as the latents. Throws an input error where sizes do not fit the model or each other. */
  velocity(call: VelocityCall): Promise<Float32Array>;
  /** Frees the compiled graphs and closes the files. */
  close(): Promise<void>;
}

/** Text sizes and latent sizes seldom change within a process. */
const KEPT_GRAPHS = 2;
/** Far below every logit, yet harmless where a whole row has it. */
const NOT_ATTENDED = -1e9;

export type DitOptions = {
  readonly device: Device;
  readonly threads?: number | undefined;
  /** How weights are held: all in one graph unless said. */
  readonly placement?: Placement | undefined;
};

/** Opens the transformer of checkpoint directory `dir` and checks that it holds exactly the tensors of its config; weights are read on first use. */
export async function loadDit(dir: string, { placement = WHOLE, ...options }: DitOptions): Promise<Dit> {
  const component = await openComponent(dir, 'transformer');
  checkComponent(component);
  const { config, source } = component;
  const graphs = compileCache<'velocity', Runner<'velocity'>>(KEPT_GRAPHS);
  const form = capabilitiesOf(options.device).attention;
  const mapped = placement.weights === 'stages' ? await mappedWeights(source) : undefined;

  const compiled = async <Names extends string>(outputs: Readonly<Record<Names, Tensor>>) =>
    compile(outputs, { ...options, weights: await storedWeights(source), computeDtype: 'device' });
  const cached = cachedRunner(compiled, KEPT_GRAPHS);

  const build = async (feeds: Feeds): Promise<Runner<'velocity'>> => {
    if (placement.weights === 'stages' && mapped !== undefined) {
      const shapes = Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, value.shape]));
      const staged = ditStages(config, form, shapes as Record<keyof Feeds, Shape>, placement.tile);
      const flow = { fed: Object.keys(feeds), result: 'velocity' } as const;
      return compileStages(staged, flow, { ...options, ...mapped, held: placement.held });
    }
    return whole(await compiled({ velocity: ditVelocity(new Scope(), config, form)(inputsOf(feeds)) }));
  };

  const run = async (feeds: Feeds, signal: AbortSignal | undefined): Promise<Float32Array> => {
    const graph = await graphs.get(keyOf(feeds), () => build(feeds));
    return floats((await graph.run(feeds, { signal })).velocity);
  };

  return {
    config,
    async velocity(call) {
      const feeds = feedsOf(call, config);
      const { cache, signal } = call;
      if (cache !== undefined && (mapped !== undefined || placement.apart))
        throw inputError('velocity', 'a step cache needs the denoiser whole in memory', undefined, 'stepCache 0');
      if (cache !== undefined)
        return floats(
          await cached.velocity(keyOf(feeds), feeds, cache, () => cachedGraphs(config, form, inputsOf(feeds))),
        );
      if (placement.apart && call.batch > 1) return oneByOne(call.batch, feeds, (each) => run(each, signal));
      return run(feeds, signal);
    },
    async close() {
      await Promise.all([graphs.dispose(), cached.dispose()]);
      await mapped?.files.close();
      await source.close();
    },
  };
}

type Feeds = Record<'latents' | 'timestep' | 'llm' | 'textBias', Value> & { clip?: Value };

const inputsOf = (feeds: Feeds): DitInputs =>
  Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, input(name, value.shape)])) as DitInputs;

/** Names the sizes of `feeds`. */
const keyOf = (feeds: Feeds): string =>
  Object.values(feeds)
    .map((value) => value.shape.join('x'))
    .join(' ');

/** `run` over each sample of the batch alone; their results one behind the other. */
async function oneByOne(
  batch: number,
  feeds: Feeds,
  run: (feeds: Feeds) => Promise<Float32Array>,
): Promise<Float32Array> {
  const results: Float32Array[] = [];
  for (let b = 0; b < batch; b++) {
    const one = Object.entries(feeds).map(([name, value]): [string, Value] => {
      const size = value.data.length / batch;
      return [name, float32(floats(value).subarray(b * size, (b + 1) * size), [1, ...value.shape.slice(1)])];
    });
    results.push(await run(Object.fromEntries(one) as Feeds));
  }
  const all = new Float32Array(results.reduce((sum, { length }) => sum + length, 0));
  results.reduce((at, result) => {
    all.set(result, at);
    return at + result.length;
  }, 0);
  return all;
}

function feedsOf({ latents, batch, shape, t, text }: VelocityCall, config: TransformerConfig): Feeds {
  const { frames, channels, height, width } = shape;
  if (channels !== config.in_channels)
    throw inputError('velocity', `latents must have ${config.in_channels} channels`, channels);
  if (height % config.patch_size !== 0 || width % config.patch_size !== 0)
    throw inputError('velocity', `latents must divide into patches of ${config.patch_size}`, [height, width]);
  if (!(t >= 0 && t <= 1)) throw inputError('velocity', 't must lie between 0 and 1', t);
  const { llm, clip, lengths } = text;
  for (const states of clip === undefined ? [llm] : [llm, clip])
    if (states.shape[0] !== batch)
      throw internalError('velocity', `text must be of the batch's size, ${batch}`, states.shape);
  const longest = Math.max(...lengths);
  if (lengths.length !== batch || longest > dim(llm.shape, 1))
    throw internalError('velocity', `lengths must be ${batch} numbers up to ${dim(llm.shape, 1)}`, lengths);
  return {
    latents: float32(latents, [batch, frames, channels, height, width]),
    timestep: float32(timestepSinusoid(new Array<number>(batch).fill(t)), [batch, TIMESTEP_CHANNELS]),
    llm: cutText(llm, longest),
    ...(clip !== undefined && { clip }),
    textBias: textBias(lengths, clip === undefined ? 0 : dim(clip.shape, 1)),
  };
}

/**
 * Bias [B, clipLength + longest] of attention over [CLIP, LLM] for samples with `lengths` valid LLM positions: 0 where attended.
 * All CLIP positions are, padding included.
 */
export function textBias(lengths: readonly number[], clipLength: number): Value {
  const total = clipLength + Math.max(...lengths);
  const data = new Float32Array(lengths.length * total);
  lengths.forEach((length, b) => {
    data.fill(NOT_ATTENDED, b * total + clipLength + length, (b + 1) * total);
  });
  return float32(data, [lengths.length, total]);
}

/** The first `length` positions of states [B, L, D]. */
function cutText(states: Value, length: number): Value {
  const [batch, whole, width] = states.shape as Shape as readonly [number, number, number];
  if (length === whole) return states;
  const out = new Float32Array(batch * length * width);
  for (let b = 0; b < batch; b++)
    out.set(floats(states).subarray(b * whole * width, (b * whole + length) * width), b * length * width);
  return float32(out, [batch, length, width]);
}
