/**
 * Training the denoiser together with both small text encoders, by flow matching on cached latents (report equations 5-7).
 * Knows batches and the loss graph; the loop is the trainer's, scores of generated clips are eval's.
 */
import path from 'node:path';
import { loadWorld } from '../data/world.ts';
import { drawTimes, flowMatching } from '../diffusion/flow-matching.ts';
import { gaussian, uniform } from '../diffusion/noise.ts';
import { textBias } from '../dit/load.ts';
import { ditVelocity } from '../dit/model.ts';
import { TIMESTEP_CHANNELS, timestepSinusoid } from '../dit/timestep.ts';
import { Scope } from '../nn/scope.ts';
import { loadTokenizers } from '../prompt/tokenize.ts';
import { compile, type Executable } from '../runtime/compile.ts';
import type { Device } from '../runtime/device.ts';
import { float32, floats, int32, type Value, type Values } from '../runtime/value.ts';
import { input, mean, sizeOf, square, sub, type Tensor } from '../tensor/index.ts';
import { hunyuanClip } from '../text/hunyuan-clip.ts';
import { stepLlm } from '../text/step-llm.ts';
import { openComponent } from '../weights/checkpoint.ts';
import type { DitTraining } from './config.ts';
import { channelStatistics, type LatentSet, latentSet } from './latents.ts';
import { JOINT_COMPONENTS, type JointConfigs, prepareFolder, saveFolder } from './model-folder.ts';
import { initialValues, loadValues } from './parameters.ts';
import type { Bucket, Task } from './trainer.ts';

/** Streams of the noise generator, one a use. */
const STREAM = { noise: 11, time: 12, pick: 13, caption: 14, drop: 15 } as const;
/** Held-out latents score the run; their clips come from a seed of their own. */
const VALIDATION = { seed: 4242, clips: 250, batch: 10, batches: 6 } as const;

type Tokens = { llm: Int32Array; length: number; clip: Int32Array; clipMask: Float32Array };

export async function ditTask(
  config: DitTraining,
  options: { device: Device; show: (line: string, final: boolean) => void },
): Promise<Task> {
  const { device, show } = options;
  const world = await loadWorld(config.data);
  const prepared = path.join(config.out, config.name, 'prepared');
  const configs = await prepareFolder(prepared, config, world);
  const sets: LatentSet[] = [];
  const load = (frames: number, clips: number, seed: number): Promise<LatentSet> =>
    latentSet({
      world,
      vae: config.vae,
      folder: config.latents,
      frames,
      clips,
      seed,
      device,
      onProgress: (done, total) => show(`latents of ${frames} frames: part ${done} of ${total}`, done === total),
    });
  for (const { frames, clips } of config.buckets) sets.push(await load(frames, clips, config.seed));
  const longest = config.buckets.reduce((a, b) => (b.frames > a.frames ? b : a));
  const validation = await load(longest.frames, VALIDATION.clips, VALIDATION.seed);
  const statistics = channelStatistics(sets);
  for (const set of [...sets, validation]) normalise(set, statistics);

  const tokenizers = await loadTokenizers(prepared);
  const tokenize = tokensOf(tokenizers, config);
  const scope = new Scope({ training: true });
  const network = jointNetwork(scope, configs);
  const buckets = config.buckets.map((b, i) => {
    const { batch, frames, weight } = b;
    const graph = flowLoss(network, { batch, shape: sets[i]!.shape, config });
    const draw = batchOf(sets[i]!, { config, bucket: i, batch, tokenize });
    return {
      name: `${frames}`,
      weight,
      samples: batch,
      losses: { loss: graph.loss },
      batch: (step: number, micro: number) => draw(step * config.accumulate + micro, false),
    } satisfies Bucket;
  });
  const values = initialValues(scope.specs, config.seed);
  if (config.start !== undefined) await loadJoint(config.start, scope, values);

  const graph = flowLoss(jointNetwork(new Scope(), configs), {
    batch: VALIDATION.batch,
    shape: validation.shape,
    config,
  });
  const held = batchOf(validation, {
    config,
    bucket: config.buckets.indexOf(longest),
    batch: VALIDATION.batch,
    tokenize,
  });
  let executable: Executable | undefined;
  return {
    specs: scope.specs,
    tensors: scope.tensors,
    values,
    buckets,
    async validate(weights) {
      executable ??= await compile({ loss: graph.loss }, { device, threads: config.threads });
      const feeds = Object.fromEntries(weights);
      let total = 0;
      for (let i = 0; i < VALIDATION.batches; i++) {
        const { loss } = await executable.run({ ...feeds, ...held(i, true) });
        total += floats(loss)[0]! / VALIDATION.batches;
      }
      return { score: -total, figures: { loss: total } };
    },
    save: (weights, folder) => saveFolder(folder, { weights, prepared, vae: config.vae, statistics }),
  };
}

/** (x - mean) / deviation of each channel, in place. */
function normalise(
  { latents, shape }: LatentSet,
  { mean: center, deviation }: { mean: number[]; deviation: number[] },
): void {
  const plane = sizeOf(shape.slice(2));
  for (let i = 0; i < latents.length; i++) {
    const c = Math.floor(i / plane) % center.length;
    latents[i] = (latents[i]! - center[c]!) / deviation[c]!;
  }
}

type Inputs = { latents: Tensor; timestep: Tensor; ids: Tensor; clipIds: Tensor; clipMask: Tensor; bias: Tensor };

/** All three networks under their components' names: text ids and noisy latents → velocity. */
function jointNetwork(scope: Scope, configs: JointConfigs): (inputs: Inputs) => Tensor {
  const llm = stepLlm(scope.at('step_llm'), configs.step_llm, 'primitive');
  const clip = hunyuanClip(scope.at('hunyuan_clip'), configs.hunyuan_clip, 'primitive');
  const velocity = ditVelocity(scope.at('transformer'), configs.transformer, 'primitive');
  return ({ latents, timestep, ids, clipIds, clipMask, bias }) =>
    velocity({ latents, timestep, llm: llm(ids), clip: clip({ ids: clipIds, mask: clipMask }), textBias: bias });
}

function flowLoss(
  network: (inputs: Inputs) => Tensor,
  { batch, shape, config }: { batch: number; shape: readonly number[]; config: DitTraining },
): { loss: Tensor } {
  const { clipTokens } = config.model;
  const velocity = network({
    latents: input('latents', [batch, ...shape]),
    timestep: input('timestep', [batch, TIMESTEP_CHANNELS]),
    ids: input('ids', [batch, config.textTokens], 'int32'),
    clipIds: input('clipIds', [batch, clipTokens], 'int32'),
    clipMask: input('clipMask', [batch, clipTokens]),
    bias: input('bias', [batch, clipTokens + config.textTokens]),
  });
  return { loss: mean(square(sub(velocity, input('target', [batch, ...shape])))) };
}

function tokensOf(
  tokenizers: Awaited<ReturnType<typeof loadTokenizers>>,
  config: DitTraining,
): (text: string) => Tokens {
  const known = new Map<string, Tokens>();
  return (text) => {
    const have = known.get(text);
    if (have !== undefined) return have;
    const { llm, clip } = tokenizers.tokenizePrompt(text);
    const tokens: Tokens = {
      llm: llm.ids.slice(0, config.textTokens),
      length: Math.min(llm.length, config.textTokens),
      clip: clip.ids,
      clipMask: Float32Array.from(clip.mask),
    };
    known.set(text, tokens);
    return tokens;
  };
}

/** Batch `index` as feeds, a function of (seed, index): which clips, captions, noise, times; captions are dropped for guidance. */
function batchOf(
  set: LatentSet,
  parts: { config: DitTraining; bucket: number; batch: number; tokenize: (text: string) => Tokens },
): (index: number, plain: boolean) => Values {
  const { config, bucket, batch, tokenize } = parts;
  const size = sizeOf(set.shape);
  const clips = set.captions.length;
  const seed = config.seed * 100 + bucket;
  return (index, plain) => {
    const at = { seed, length: batch, offset: index * batch };
    const pick = (stream: number, count: number): number[] =>
      Array.from(uniform({ ...at, stream }), (u) => Math.floor(u * count));
    const chosen = plain
      ? Array.from({ length: batch }, (_, i) => (index * batch + i) % clips)
      : epochPick(clips, seed, index * batch, batch);
    const data = new Float32Array(batch * size);
    chosen.forEach((clip, b) => {
      data.set(set.latents.subarray(clip * size, (clip + 1) * size), b * size);
    });
    const noise = gaussian({ seed, length: batch * size, offset: index * batch * size, stream: STREAM.noise });
    const times = drawTimes(config.buckets[bucket]!.density, { ...at, stream: STREAM.time });
    const { noised, velocity } = flowMatching({ data, noise, times });
    const dropped = uniform({ ...at, stream: STREAM.drop });
    const which = pick(STREAM.caption, set.captions[0]!.length);
    const texts = chosen.map((clip, b) =>
      !plain && dropped[b]! < config.captionDrop ? '' : set.captions[clip]![which[b]!]!,
    );
    return {
      ...textFeeds(texts.map(tokenize), config),
      latents: float32(noised, [batch, ...set.shape]),
      target: float32(velocity, [batch, ...set.shape]),
      timestep: float32(timestepSinusoid(times), [batch, TIMESTEP_CHANNELS]),
    };
  };
}

/** Clips without repetition within an epoch: position p of epoch e is p·step + shift modulo the number of clips. */
function epochPick(clips: number, seed: number, first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const epoch = Math.floor((first + i) / clips);
    const [a, b] = uniform({ seed, length: 2, offset: 2 * epoch, stream: STREAM.pick });
    let step = 1 + 2 * Math.floor((a! * clips) / 2);
    while (greatestCommonDivisor(step, clips) !== 1) step += 1;
    return (((first + i) % clips) * step + Math.floor(b! * clips)) % clips;
  });
}

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b));

function textFeeds(tokens: readonly Tokens[], config: DitTraining): Record<string, Value> {
  const { clipTokens } = config.model;
  const batch = tokens.length;
  const ids = new Int32Array(batch * config.textTokens);
  const clipIds = new Int32Array(batch * clipTokens);
  const clipMask = new Float32Array(batch * clipTokens);
  tokens.forEach((t, b) => {
    ids.set(t.llm, b * config.textTokens);
    clipIds.set(t.clip, b * clipTokens);
    clipMask.set(t.clipMask, b * clipTokens);
  });
  const lengths = tokens.map((t) => t.length);
  // One shape for every batch: the mask of the longest text that training sees.
  const padded = floats(textBias([...lengths, config.textTokens], clipTokens)).slice(
    0,
    batch * (clipTokens + config.textTokens),
  );
  return {
    ids: int32(ids, [batch, config.textTokens]),
    clipIds: int32(clipIds, [batch, clipTokens]),
    clipMask: float32(clipMask, [batch, clipTokens]),
    bias: float32(padded, [batch, clipTokens + config.textTokens]),
  };
}

async function loadJoint(folder: string, scope: Scope, values: Map<string, Value>): Promise<void> {
  for (const component of JOINT_COMPONENTS) {
    const { source } = await openComponent(folder, component);
    const own = new Map(
      [...scope.specs.values()].flatMap((spec) =>
        spec.name.startsWith(`${component}.`)
          ? [[spec.name, { ...spec, name: spec.name.slice(component.length + 1) }] as const]
          : [],
      ),
    );
    for (const [name, value] of await loadValues(own, source)) values.set(`${component}.${name}`, value);
  }
}
