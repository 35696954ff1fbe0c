/**
 * Training the feature network to name the subjects of composed stills: batches, loss, accuracy on held-out combinations.
 * Knows emoji world's sampler and the network; the loop is the trainer's. Unseen subjects are among its classes: what a
 * generator never trained on, its judge must know.
 */
import { type Clip, type ClipSamplerOptions, clipSampler } from '../data/clips.ts';
import { randomStream } from '../data/random.ts';
import { loadWorld, type Subject, type World } from '../data/world.ts';
import type { FeatureConfig } from '../features/config.ts';
import { largestOfRows, saveFeatureNetwork } from '../features/load.ts';
import { featureNetwork } from '../features/network.ts';
import { Scope } from '../nn/scope.ts';
import { compile } from '../runtime/compile.ts';
import type { Device } from '../runtime/device.ts';
import { float32, floats } from '../runtime/value.ts';
import { input } from '../tensor/index.ts';
import { clipsToPixels, PICTURE } from './clip-pixels.ts';
import type { FeaturesTraining } from './config.ts';
import { crossEntropy } from './cross-entropy.ts';
import { replaceFolder } from './disk.ts';
import type { Bucket } from './gradients.ts';
import { initialValues } from './parameters.ts';
import type { Task, Weights } from './trainer.ts';
import { wornPicture } from './worn-picture.ts';

/** A still is any frame of a clip of this many. */
const CLIP_FRAMES = 34;

/** Network, stills and loss of a features run; reads the world. */
export async function featuresTask(config: FeaturesTraining, device: Device): Promise<Task> {
  const world = await loadWorld(config.data);
  const network: FeatureConfig = {
    name: `${config.name} (a classifier of emoji world's subjects)`,
    subjects: world.subjects.map(({ id }) => id),
    sizes: config.model,
  };
  const scope = new Scope({ training: true });
  const forward = featureNetwork(scope, network);
  const bucket = (index: number): Bucket => {
    const { crop, batch, weight } = config.buckets[index]!;
    const size = crop ?? PICTURE;
    const pixels = input('pixels', [batch, 3, size, size]);
    const targets = input('targets', [batch, network.subjects.length]);
    const { logits, levels } = forward(pixels);
    const still = stillsOf(world, { seed: config.seed * 1000 + index, split: 'train', crop, worn: config.worn });
    return {
      name: `${size}`,
      weight,
      samples: batch,
      losses: { loss: crossEntropy(logits, targets) },
      kept: levels,
      batch(step, micro) {
        const first = (step * config.accumulate + micro) * batch;
        const stills = Array.from({ length: batch }, (_, i) => still(first + i));
        return {
          pixels: float32(clipsToPixels(stills), pixels.shape),
          targets: float32(targetRows(stills, network.subjects), targets.shape),
        };
      },
    };
  };
  const buckets = config.buckets.map((_, i) => bucket(i));
  return {
    specs: scope.specs,
    tensors: scope.tensors,
    values: initialValues(scope.specs, config.seed),
    buckets: async () => buckets,
    validate: (weights) => validate({ world, network, device, threads: config.threads }, weights),
    save: (weights, folder) => replaceFolder(folder, (part) => saveFeatureNetwork(part, network, weights)),
  };
}

type Stills = {
  readonly seed: number;
  readonly split: 'train' | 'held-out';
  readonly crop: number | undefined;
  /** Share of worn pictures. */
  readonly worn: number;
  readonly subject?: Subject;
  /** Share of pictures with two subjects; whole frames alone have any. */
  readonly pairs?: number;
};

/** Still `index` of a seed, a function of both: subjects of both roles, each as often as any other. */
function stillsOf(world: World, options: Stills): (index: number) => Clip {
  const { seed, split, crop, worn, subject, pairs } = options;
  const shares = crop === undefined ? (pairs === undefined ? {} : { pairs }) : { pairs: 0 };
  const samplers = (['trained', 'unseen'] as const).map((role) => {
    const scenes = { role, split, mix: shares, ...(subject && { subject: subject.id }) };
    const own: ClipSamplerOptions = { world, seed, frames: CLIP_FRAMES, stills: true, scenes };
    return { role, sampler: clipSampler(crop === undefined ? own : { ...own, crop }) };
  });
  return (index) => {
    const random = randomStream(seed + 1, index);
    const { role } = subject ?? random.pick(world.subjects);
    const clip = samplers.find((one) => one.role === role)!.sampler.clip(index);
    return random.uniform() < worn ? { ...clip, pixels: wornPicture(clip.pixels, clip, random) } : clip;
  };
}

/** Distributions [N, subjects]: all on the subject that a still shows, or half on each of two. */
function targetRows(stills: readonly Clip[], subjects: readonly string[]): Float32Array {
  const rows = new Float32Array(stills.length * subjects.length);
  stills.forEach(({ scene }, row) => {
    const shown = [scene.subject, ...(scene.second ? [scene.second.subject] : [])];
    for (const id of shown) rows[row * subjects.length + subjects.indexOf(id)] = 1 / shown.length;
  });
  return rows;
}

type Validation = { world: World; network: FeatureConfig; device: Device; threads: number | undefined };

/** Stills of each subject, and seeds of what is held out. */
const PER_SUBJECT = 4;
const VALIDATION_SEED = 99;
const VALIDATION_BATCH = 8;
const VALIDATION_CROP = 64;

/**
 * Share of stills whose subject is named, in combinations that were never trained on: whole frames (the score), the same worn,
 * and crops; of whole frames with two subjects, the share where both are the two likeliest.
 */
async function validate(
  { world, network, device, threads }: Validation,
  weights: Weights,
): Promise<{ score: number; figures: Record<string, number> }> {
  const classes = network.subjects.length;
  const logitsOf = async (stills: readonly Clip[]): Promise<Float32Array> => {
    const size = stills[0]!.width;
    const pixels = input('pixels', [VALIDATION_BATCH, 3, size, size]);
    const { logits } = featureNetwork(new Scope(), network)(pixels);
    const executable = await compile({ logits }, { device, threads });
    const all = new Float32Array(stills.length * classes);
    for (let from = 0; from < stills.length; from += VALIDATION_BATCH) {
      const some = stills.slice(from, from + VALIDATION_BATCH);
      const fed = new Float32Array(VALIDATION_BATCH * 3 * size * size);
      fed.set(clipsToPixels(some));
      const results = await executable.run({ ...Object.fromEntries(weights), pixels: float32(fed, pixels.shape) });
      all.set(floats(results.logits).subarray(0, some.length * classes), from * classes);
    }
    await executable.dispose();
    return all;
  };
  const accuracy = async (kind: { crop?: number; worn: number }): Promise<number> => {
    const stills = world.subjects.flatMap((subject, s) => {
      const still = stillsOf(world, {
        seed: VALIDATION_SEED,
        split: 'held-out',
        crop: kind.crop,
        worn: kind.worn,
        subject,
        pairs: 0,
      });
      return Array.from({ length: PER_SUBJECT }, (_, i) => still(s * PER_SUBJECT + i));
    });
    const named = largestOfRows(await logitsOf(stills), classes);
    return stills.filter(({ scene }, i) => network.subjects[named[i]!] === scene.subject).length / stills.length;
  };
  const pairs = async (): Promise<number> => {
    const still = stillsOf(world, { seed: VALIDATION_SEED, split: 'held-out', crop: undefined, worn: 0, pairs: 1 });
    const stills = Array.from({ length: classes }, (_, i) => still(i)).filter(({ scene }) => scene.second);
    const logits = await logitsOf(stills);
    const found = stills.filter(({ scene }, row) => {
      const own = logits.subarray(row * classes, (row + 1) * classes);
      const place = (id: string): number => own.filter((x) => x > own[network.subjects.indexOf(id)]!).length;
      return place(scene.subject) < 2 && place(scene.second!.subject) < 2;
    });
    return found.length / stills.length;
  };
  const score = await accuracy({ worn: 0 });
  const [worn, crops] = [await accuracy({ worn: 1 }), await accuracy({ crop: VALIDATION_CROP, worn: 0 })];
  return { score, figures: { worn, crops, pairs: await pairs() } };
}
