/**
 * What a training run is: one JSON file a stage, checked before any work. Sizes of models are the checkpoint's own config.
 */
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { ASPECTS, type Aspect } from '../data/scene.ts';
import { sceneChoice } from '../data/scene-choice.ts';
import { inputError } from '../errors.ts';
import { featureSizes } from '../features/config.ts';
import { jointSizes, vaeSizes } from './start-sizes.ts';

const positive = z.number().positive();
const count = z.int().positive();
const decayRate = z.number().min(0).lt(1);
/** The VAE codes chunks of 17 frames, or single pictures. */
const chunk = z.int().refine((frames) => frames === 1 || frames === 17, 'must be 1 or 17, one chunk of the VAE');

/** Clips of several chunks are coded chunk by chunk. */
const clipLength = z
  .int()
  .refine((frames) => frames === 1 || (frames > 0 && frames % 17 === 0), 'must be 1 or a multiple of 17');
const aspect = z.enum(Object.keys(ASPECTS) as [Aspect, ...Aspect[]]).default('square');

const isPattern = (text: string): boolean => {
  try {
    return new RegExp(text) !== undefined;
  } catch {
    return false;
  }
};

export const group = z.strictObject({
  /** Regular expression over parameter names; the first group that matches a name takes it. */
  pattern: z.string().refine(isPattern, 'must be a regular expression'),
  optimizer: z.enum(['adamw', 'muon', 'frozen']),
  lr: positive.default(1e-3),
  weightDecay: z.number().nonnegative().default(0),
  /** AdamW: decay of first and second moments. */
  betas: z.tuple([decayRate, decayRate]).default([0.9, 0.999]),
  eps: positive.default(1e-8),
  /** Muon: Nesterov momentum. */
  momentum: decayRate.default(0.9),
  /** Muon: step size of an orthogonal update, by sqrt(out / in) or to the size of an AdamW step (0.2 sqrt(max)). */
  scale: z.enum(['fan', 'rms']).default('rms'),
  /** Muon: the weight's rows as this many matrices. */
  split: count.default(1),
  /** Muon on causal convolutions that see single frames only: the last time tap alone. */
  lastTap: z.boolean().default(false),
});

const schedule = z.strictObject({
  warmup: z.int().nonnegative().default(0),
  /** Fraction of the steps before the decay begins. */
  flat: z.number().min(0).max(1).default(0.35),
  decay: z.enum(['cosine', 'linear']).default('cosine'),
  /** Last learning rate over the first. */
  final: z.number().min(0).max(1).default(0.02),
});

/** Also what `data check` and `eval` take unless told. */
export const decodeSchema = z.strictObject({
  /** Frames per second of training; clips are resampled to it. */
  fps: positive.max(240).default(12),
  /** No clip is longer; of longer files the beginning is used. */
  seconds: positive.default(60),
  /** Folder of decoded clips. */
  cache: z.string().default('cache/clips'),
  /** Most that a run keeps there, in 10^9 bytes. */
  gigabytes: positive.default(20),
});

const shared = {
  /** Names the run; its folder under `out`. */
  name: z.string().regex(/^\w[\w.-]*$/),
  seed: z.int().nonnegative().default(0),
  /** Folder of all runs. */
  out: z.string().default('checkpoints'),
  /** Emoji world, as `step-video data build` leaves it, or a directory of clips with captions beside them. */
  data: z.string().default('cache/data'),
  /** How clips of a directory are decoded; emoji world does not look at it. */
  decode: decodeSchema.prefault({}),
  steps: count,
  /** Backward passes a step, their gradients averaged. */
  accumulate: count.default(1),
  groups: z.array(group).min(1),
  /** Largest global norm of the gradient; a longer one is scaled down to it. */
  clip: positive.default(1),
  /** Decay of the moving average of weights, which is what gets validated and saved; none where absent. */
  ema: decayRate.optional(),
  /** A loss that stays above this many times its running median stops the run. */
  explodes: z.number().gt(1).default(10),
  schedule: schedule.prefault({}),
  /** Keep block outputs only and compute the rest of the forward pass again in the backward pass: less memory, more work. */
  recompute: z.boolean().default(false),
  threads: count.optional(),
  /** Minutes between saved states. */
  checkpointMinutes: positive.default(3),
  validateSteps: count.default(100),
  logSteps: count.default(10),
};

const sizes = z.strictObject({ ch: count, ch_mult: z.array(count).length(4), num_res_blocks: z.int().nonnegative() });

/** Every so many frames of a clip are looked at, others in the next step. */
const everyFrames = count.default(4);

const perceptual = z.strictObject({
  weight: positive,
  /** Folder of a trained feature network: this project's own classifier of emoji world, not VGG. */
  features: z.string(),
  everyFrames,
});

const adversarial = z.strictObject({
  /** Weight of the generator's term; it stays as it is set here, whatever the other gradients are. */
  weight: positive,
  /** Steps before the discriminator learns and the decoder is told; its graph runs from the beginning. */
  start: z.int().nonnegative().default(0),
  /** Steps over which the weight then rises to its full size. */
  ramp: z.int().nonnegative().default(0),
  /** Channels of the discriminator's levels, each half the size of the one before. */
  widths: z.array(count.multipleOf(8)).min(1).max(4).default([16, 32, 64]),
  everyFrames,
  /** The discriminator's AdamW. */
  lr: positive.default(2e-4),
  betas: z.tuple([decayRate, decayRate]).default([0.5, 0.9]),
});

const vaeSchema = z.strictObject({
  ...shared,
  stage: z.literal('vae'),
  /** A checkpoint directory (or another run's folder) to start from; fresh weights where absent. */
  start: z.string().optional(),
  /** Sizes; those of `start` where absent. */
  model: z
    .strictObject({ encoder: sizes, decoder: sizes, z_channels: count, channels: count, num_groups: count })
    .optional(),
  /** Shapes that make up a step, and what part of the loss each is. `crop`: pixels around the subject instead of whole frames;
   * `flat`: stills before any time tap but the last is trained, at a quarter of the cost. */
  buckets: z
    .array(
      z.strictObject({
        frames: chunk,
        crop: z.int().positive().max(128).multipleOf(16).optional(),
        batch: count,
        flat: z.boolean().default(false),
        weight: positive.default(1),
      }),
    )
    .min(1),
  loss: z
    .strictObject({
      /** Weights of L1 at full, half, quarter … size. */
      scales: z.array(z.number().nonnegative()).default([1, 0.5, 0.5]),
      /** L1 between neighbouring pixels' differences. */
      gradient: z.number().nonnegative().default(0.5),
      /** L1 between the differences of neighbouring frames: flicker and doubled images. */
      temporal: z.number().nonnegative().default(0),
      /** Mean KL over latents. */
      kl: z.number().nonnegative().default(1e-4),
      perceptual: perceptual.optional(),
      adversarial: adversarial.optional(),
    })
    .prefault({}),
  /** Trains the 4x8x8 core alone, its latents of `z_channels` straight behind the mid block; the dual paths stay as they begin. */
  core: z.strictObject({ z_channels: count.default(16) }).optional(),
  /** Clips that the map of previews is fitted on whenever weights are saved, seconds of work; 0: no map. */
  previewClips: z.int().nonnegative().default(32),
  /** Start value of the log-variance, so that noise does not swamp untrained means. */
  logVariance: z.number().default(-6),
});

const density = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('uniform'), timeShift: positive.default(1) }),
  z.strictObject({
    kind: z.literal('logit-normal'),
    mean: z.number().default(0),
    deviation: positive.default(1),
    timeShift: positive.default(1),
  }),
]);

const ditSchema = z
  .strictObject({
    ...shared,
    stage: z.literal('dit'),
    /** Model directory whose trained VAE makes the latents. */
    vae: z.string(),
    /** Model directory to start from: text encoders, denoiser, tokenizers. Fresh ones of `model` where absent. */
    start: z.string().optional(),
    /** Configs of the networks; those of `start` where absent. */
    model: z
      .strictObject({
        transformer: z.looseObject({}),
        step_llm: z.looseObject({}),
        hunyuan_clip: z.looseObject({}),
        /** Positions that the CLIP slot has, all attended. */
        clipTokens: count,
      })
      .optional(),
    /** Latents are made once and kept here. */
    latents: z.string(),
    buckets: z
      .array(
        z.strictObject({
          frames: clipLength,
          aspect,
          /** With `balance`, the most: fewer where its aim holds no more. */
          batch: count,
          weight: positive.default(1),
          /** What clips of emoji world show; as in its own mix unless told. */
          scenes: sceneChoice,
          /** Distinct clips encoded for this shape. */
          clips: count,
          density: density.prefault({ kind: 'logit-normal' }),
        }),
      )
      .min(1),
    /**
     * One shape of clips a step, drawn by the buckets' weights, and stills in whole batches filled into the cheapest steps of a
     * window; without it every step takes a batch of every bucket. Needs one bucket of stills, and a weight for its samples.
     */
    balance: z
      .strictObject({
        /** Arithmetic that a step's clips aim at, forward and backward. */
        gflops: positive,
        /** Stills for each clip. */
        stills: z.number().nonnegative(),
        /** Steps balanced together. */
        window: count.default(8),
      })
      .optional(),
    /** Held-out clips that score the run, tens of them. */
    validationClips: count.multipleOf(10).default(60),
    /** Steps between grids of generated clips; none where absent. */
    sampleSteps: count.optional(),
    captionDrop: z.number().min(0).max(1).default(0.1),
    /** Step-LLM tokens of a caption that training sees; longer ones are cut. */
    textTokens: count.default(32),
  })
  .refine(({ balance, buckets }) => balance === undefined || canBalance(buckets), {
    path: ['balance'],
    message: 'needs one bucket of stills, and buckets of clips',
  });

const featuresSchema = z.strictObject({
  ...shared,
  stage: z.literal('features'),
  model: featureSizes.prefault({}),
  /** Pictures that make up a step: whole frames, or squares of `crop` pixels around the subject. */
  buckets: z
    .array(
      z.strictObject({
        crop: z.int().positive().max(128).multipleOf(16).optional(),
        batch: count,
        weight: positive.default(1),
      }),
    )
    .min(1),
  /** Share of pictures that are blurred, noisy or of slightly other colours, as decoded ones are. */
  worn: z.number().min(0).max(1).default(0.5),
});

function canBalance(buckets: readonly { frames: number }[]): boolean {
  const stills = buckets.filter(({ frames }) => frames === 1).length;
  return stills === 1 && buckets.length > 1;
}

export type GroupConfig = z.output<typeof group>;
export type ScheduleConfig = z.output<typeof schedule>;
export type PerceptualConfig = z.output<typeof perceptual>;
export type AdversarialConfig = z.output<typeof adversarial>;
/** A config whose sizes are known, its own or those of the model that it starts from. */
type Sized<Config extends { model?: unknown }> = Config & { readonly model: NonNullable<Config['model']> };
export type VaeTraining = Sized<z.output<typeof vaeSchema>>;
export type DitTraining = Sized<z.output<typeof ditSchema>>;
export type FeaturesTraining = z.output<typeof featuresSchema>;
type Unsized = z.output<typeof vaeSchema> | z.output<typeof ditSchema> | FeaturesTraining;
export type TrainingConfig = VaeTraining | DitTraining | FeaturesTraining;

/** Reads and checks a config file; an error names the file and the first field that is wrong. */
export async function readTrainingConfig(path: string): Promise<TrainingConfig> {
  const text = await readFile(path, 'utf8').catch(() => {
    throw inputError('train', '--config must name a readable JSON file', path);
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw inputError(`train ${path}`, 'config must be JSON', (error as Error).message);
  }
  const result = z.discriminatedUnion('stage', [vaeSchema, ditSchema, featuresSchema]).safeParse(json);
  if (result.success) return sized(result.data, path);
  const issue = result.error.issues[0]!;
  throw inputError(`train ${path}`, `${issue.path.join('.') || 'config'}: ${issue.message}`);
}

/** The sizes of `start` for a config that names none. */
async function sized(config: Unsized, path: string): Promise<TrainingConfig> {
  if (config.stage === 'features') return config;
  if (config.model === undefined && config.start === undefined)
    throw inputError(`train ${path}`, 'model or start must be given: fresh networks need their sizes');
  return config.stage === 'vae'
    ? { ...config, model: config.model ?? (await vaeSizes(config.start!)) }
    : { ...config, model: config.model ?? (await jointSizes(config.start!)) };
}
