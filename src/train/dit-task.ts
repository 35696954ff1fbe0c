/**
 * Training the denoiser together with both small text encoders, by flow matching on cached latents (report equations 5-7).
 * Knows the joint network and its loss; batches are dit-batch.ts's, the loop is the trainer's.
 */
import path from 'node:path';
import type { ClipSource } from '../data/clip-source.ts';
import { openClipSource } from '../data/open-source.ts';
import { ditVelocity } from '../dit/model.ts';
import { TIMESTEP_CHANNELS } from '../dit/timestep.ts';
import { internalError } from '../errors.ts';
import { latentShape } from '../latents.ts';
import { Scope } from '../nn/scope.ts';
import { loadTokenizers } from '../prompt/tokenize.ts';
import { compile, type Executable } from '../runtime/compile.ts';
import type { Device } from '../runtime/device.ts';
import { floats, type Value } from '../runtime/value.ts';
import { input, mean, sizeOf, square, sub, type Tensor } from '../tensor/index.ts';
import { hunyuanClip } from '../text/hunyuan-clip.ts';
import { stepLlm } from '../text/step-llm.ts';
import { type TrainingRecord, writeTrainingRecord } from '../training-record.ts';
import { openComponent } from '../weights/checkpoint.ts';
import { captionNotes } from './caption-notes.ts';
import { hasState } from './checkpoint.ts';
import type { DitTraining } from './config.ts';
import { replaceFolder, writingErrors } from './disk.ts';
import { type BalancedBuckets, balancedBuckets } from './dit-balance.ts';
import { batchOf, tokensOf } from './dit-batch.ts';
import { drawSamples } from './dit-samples.ts';
import type { Bucket } from './gradients.ts';
import { channelStatistics, knownStatistics, type LatentStatistics, normalise } from './latent-statistics.ts';
import { type LatentSet, latentSet } from './latents.ts';
import { decodingLine, type Show } from './metrics.ts';
import { JOINT_COMPONENTS, type JointConfigs, prepareFolder, saveFolder } from './model-folder.ts';
import { initialValues, loadValues } from './parameters.ts';
import { recordOfRun } from './run-record.ts';
import type { Task, Weights } from './trainer.ts';

/** Held-out latents score the run, in bins of time; their clips come from a seed of their own. */
const VALIDATION = { seed: 4242, batches: 10, bins: 5 } as const;

/** Configs, tokenizers and start weights of a denoiser run; latents are made when its buckets are asked for. */
export async function ditTask(config: DitTraining, options: { device: Device; show: Show }): Promise<Task> {
  const { device, show } = options;
  const folder = path.join(config.out, config.name);
  const prepared = path.join(folder, 'prepared');
  const source = await openClipSource(config.data, {
    decode: config.decode,
    captions: true,
    onProgress: decodingLine(show),
  });
  // A run goes on with the words that it began with, one that starts from a model with those that its weights know.
  const words = hasState(folder) ? prepared : config.start;
  const configs = await prepareFolder(prepared, config, { vocabulary: source.vocabulary, words });
  const scope = new Scope({ training: true });
  const network = jointNetwork(scope, configs);
  const values = initialValues(scope.specs, config.seed);
  if (config.start !== undefined) await loadJoint(config.start, { scope, values });
  const tokenizers = await loadTokenizers(prepared);
  const tokenize = tokensOf(tokenizers, config);
  const notes = captionNotes(source.vocabulary.words(), {
    tokenizers,
    words,
    textTokens: config.textTokens,
  });

  const longest = config.buckets.reduce((a, b) => (b.frames > a.frames ? b : a));
  let data: TrainingData | undefined;
  let validation: Executable<'loss'> | undefined;
  let balanced: BalancedBuckets | undefined;
  const trainingData = (): TrainingData => {
    if (data === undefined) throw internalError('dit task', 'buckets come first');
    return data;
  };
  const save = (weights: Weights, folder: string): Promise<void> => {
    const { statistics, record } = trainingData();
    return replaceFolder(folder, async (part) => {
      const { frames } = longest;
      await saveFolder(part, { weights, prepared, statistics, vae: config.vae, fps: config.decode.fps, frames });
      if (record) await writeTrainingRecord(part, record);
    });
  };
  const { sampleSteps } = config;
  return {
    specs: scope.specs,
    tensors: scope.tensors,
    values,
    async buckets(signal) {
      data = await makeData(config, { ...options, source, longest, signal });
      const { sets } = data;
      const shapes = sets.map(({ shape }) => shape);
      balanced =
        config.balance && balancedBuckets(config.buckets, { ...config, balance: config.balance, shapes, configs });
      return config.buckets.map(({ frames, aspect, ...bucket }, i): Bucket => {
        const set = sets[i]!;
        const batch = balanced?.batches[i] ?? bucket.batch;
        // Balanced steps count every latent alike, so that many stills do not outvote the clips beside them.
        const weight = balanced ? batch * sizeOf(set.shape) : bucket.weight;
        const slots = balanced?.most ?? config.accumulate;
        const draw = batchOf(set, { config, bucket: i, batch, tokenize });
        return {
          name: aspect === 'square' ? `${frames}` : `${frames} ${aspect}`,
          weight,
          samples: batch,
          ...flowLoss(network, { batch, shape: set.shape, config }),
          batch: (step: number, micro: number) => draw(step * slots + micro),
        };
      });
    },
    passes: () => balanced?.passes,
    async validate(weights) {
      const { held } = trainingData();
      const { batches } = VALIDATION;
      const batch = config.validationClips / batches;
      if (validation === undefined) {
        const { losses } = flowLoss(jointNetwork(new Scope(), configs), { batch, shape: held.shape, config });
        validation = await compile({ loss: losses.loss }, { device, threads: config.threads });
      }
      const draw = batchOf(held, { config, bucket: config.buckets.indexOf(longest), batch, tokenize });
      const feeds = Object.fromEntries(weights);
      const bins = new Array<number>(VALIDATION.bins).fill(0);
      for (let i = 0; i < batches; i++) {
        const bin = i % bins.length;
        const { loss } = await validation.run({ ...feeds, ...draw(i, { bin, of: bins.length }) });
        bins[bin]! += (floats(loss)[0]! * bins.length) / batches;
      }
      const total = bins.reduce((sum, loss) => sum + loss, 0) / bins.length;
      const edge = (bin: number): string => (bin / bins.length).toFixed(1);
      const byTime = bins.map((loss, bin) => [`loss t ${edge(bin)}-${edge(bin + 1)}`, loss] as const);
      return { score: -total, figures: { loss: total, ...Object.fromEntries(byTime) } };
    },
    ...(sampleSteps !== undefined && {
      samples: {
        every: sampleSteps,
        async draw(weights, folder, step) {
          const model = path.join(folder, 'samples', 'model');
          await writingErrors(folder, () => save(weights, model));
          const file = path.join(folder, 'samples', `step-${String(step).padStart(6, '0')}.png`);
          await drawSamples({ model, source, frames: longest.frames, file, device, threads: config.threads });
        },
      },
    }),
    data() {
      const report = source.report();
      return report || notes.length > 0 ? { ...report, notes: [...(report?.notes ?? []), ...notes] } : undefined;
    },
    save,
    dispose: async () => validation?.dispose(),
  };
}

type TrainingData = {
  /** Normalised latents of each bucket. */
  readonly sets: readonly LatentSet[];
  readonly held: LatentSet;
  readonly statistics: LatentStatistics;
  readonly record: TrainingRecord | undefined;
};

type DataOptions = {
  device: Device;
  show: Show;
  source: ClipSource;
  longest: DitTraining['buckets'][number];
  signal: AbortSignal | undefined;
};

async function makeData(config: DitTraining, options: DataOptions): Promise<TrainingData> {
  const { show, longest, ...rest } = options;
  type Part = { seed: number; part: 'train' | 'validation' };
  const load = ({ frames, aspect, scenes, clips }: ClipKind, of: Part): Promise<LatentSet> =>
    latentSet({
      ...rest,
      ...of,
      vae: config.vae,
      folder: config.latents,
      threads: config.threads,
      frames,
      aspect,
      scenes,
      clips,
      onProgress: (done, total) =>
        show(`latents of ${frames} frames, ${aspect}: ${done} of ${total} clips`, done === total),
    });
  // Longest first: a shorter bucket of no more drawn clips takes their beginnings, which are clips of its own.
  const order = config.buckets.map((_, i) => i).sort((a, b) => config.buckets[b]!.frames - config.buckets[a]!.frames);
  const sets: LatentSet[] = [];
  for (const i of order) {
    const bucket = config.buckets[i]!;
    const longer = order.find((k) => sets[k] && isLongerOf(config.buckets[k]!, bucket) && options.source.isDrawn);
    sets[i] =
      longer === undefined
        ? await load(bucket, { seed: config.seed, part: 'train' })
        : beginningsOf(sets[longer]!, bucket);
  }
  const held = await load({ ...longest, clips: config.validationClips }, { seed: VALIDATION.seed, part: 'validation' });
  const statistics = (await knownStatistics(config.vae)) ?? channelStatistics(sets);
  for (const set of [...sets, held]) normalise(set, statistics);
  const record = await recordOfRun(config, options.source);
  return { sets, held, statistics, record };
}

type ClipKind = Pick<DitTraining['buckets'][number], 'frames' | 'aspect' | 'scenes' | 'clips'>;

const isLongerOf = (one: ClipKind, other: ClipKind): boolean =>
  one.aspect === other.aspect &&
  JSON.stringify(one.scenes) === JSON.stringify(other.scenes) &&
  one.frames > other.frames &&
  one.clips >= other.clips;

/** The first chunks of the first clips; of a clip that is one picture long, its first latent frame, which codes that picture alone. */
function beginningsOf({ latents, captions, shape }: LatentSet, { frames, clips }: ClipKind): LatentSet {
  const [long, channels, height, width] = shape as readonly [number, number, number, number];
  const kept = latentShape({ frames, height: 16 * height, width: 16 * width }, channels).frames;
  const size = channels * height * width;
  const out = new Float32Array(clips * kept * size);
  for (let i = 0; i < clips; i++) out.set(latents.subarray(i * long * size, (i * long + kept) * size), i * kept * size);
  return { latents: out, captions: captions.slice(0, clips), shape: [kept, channels, height, width] };
}

type Network = (inputs: Inputs, keep: (features: Tensor) => void) => Tensor;
type Inputs = { latents: Tensor; timestep: Tensor; ids: Tensor; clipIds: Tensor; clipMask: Tensor; bias: Tensor };

/** What a run that recomputes activations keeps: the stream after each block, and what every block is given. */
const KEPT = /^(transformer_blocks\.\d+|context|adaln_single)$/;

/** All three networks under their components' names: text ids and noisy latents → velocity. */
function jointNetwork(scope: Scope, configs: JointConfigs): Network {
  const llm = stepLlm(scope.at('step_llm'), configs.step_llm, 'primitive');
  const clip = hunyuanClip(scope.at('hunyuan_clip'), configs.hunyuan_clip, 'primitive');
  const velocity = ditVelocity(scope.at('transformer'), configs.transformer, 'primitive');
  return ({ latents, timestep, ids, clipIds, clipMask, bias }, keep) =>
    velocity(
      { latents, timestep, llm: llm(ids), clip: clip({ ids: clipIds, mask: clipMask }), textBias: bias },
      (name, features) => {
        if (KEPT.test(name)) keep(features);
      },
    );
}

function flowLoss(
  network: Network,
  { batch, shape, config }: { batch: number; shape: readonly number[]; config: DitTraining },
): Pick<Bucket, 'losses' | 'kept'> {
  const { clipTokens } = config.model;
  const kept: Tensor[] = [];
  const inputs = {
    latents: input('latents', [batch, ...shape]),
    timestep: input('timestep', [batch, TIMESTEP_CHANNELS]),
    ids: input('ids', [batch, config.textTokens], 'int32'),
    clipIds: input('clipIds', [batch, clipTokens], 'int32'),
    clipMask: input('clipMask', [batch, clipTokens]),
    bias: input('bias', [batch, clipTokens + config.textTokens]),
  };
  const velocity = network(inputs, (features) => kept.push(features));
  const loss = mean(square(sub(velocity, input('target', [batch, ...shape]))));
  return { losses: { loss }, kept };
}

/** Weights of model directory `folder` into `values`. */
async function loadJoint(
  folder: string,
  { scope, values }: { scope: Scope; values: Map<string, Value> },
): Promise<void> {
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
    await source.close();
  }
}
