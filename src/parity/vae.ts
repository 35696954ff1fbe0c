/**
 * Recorded coding of clips by the Video-VAE: moments, samples, frames with and without blended seams, and every stage.
 * Which tensors belong together is told by their names: clipX, momentsX, noiseX, sampleX, latentX, decodedX, unmixedX.
 */
import { Scope } from '../nn/scope.ts';
import { compile } from '../runtime/compile.ts';
import { float32, floats, type Value } from '../runtime/value.ts';
import { type AttentionForm, input, sizeOf, type Tensor } from '../tensor/index.ts';
import { latentChunks } from '../vae/chunks.ts';
import { decoder } from '../vae/decoder.ts';
import { encoder, type Observe } from '../vae/encoder.ts';
import { runVae, type Vae } from '../vae/load.ts';
import { splitMoments } from '../vae/posterior.ts';
import { storedWeights } from '../weights/stored-weights.ts';
import { type Comparison, compare } from './compare.ts';
import { strided } from './strided.ts';
import { type RecordedSet, withRecordedSet } from './vectors.ts';
import { openSetComponent } from './weights.ts';

type Five = readonly [number, number, number, number, number];
const five = (value: Value): Five => value.shape as unknown as Five;

/** Everything recorded in set `name` of directory `dir`. */
export function compareVae(dir: string, name: string, form: AttentionForm): Promise<Comparison[]> {
  return withRecordedSet(dir, name, async (recorded) => {
    const component = await openSetComponent(recorded, 'vae');
    const vae = runVae(component, { device: 'cpu', threads: 1 });
    recorded.alsoClose(vae);
    const comparisons: Comparison[] = [];
    for (const tensor of recorded.names) {
      const [, kind, clip] = /^(moments|sample|decoded|unmixed)([^_]*)/.exec(tensor) ?? [];
      if (clip === undefined) continue;
      const computed = kind === 'moments' || kind === 'sample' ? encoded(recorded, vae, clip) : decoded(recorded, vae);
      comparisons.push(await against(recorded, tensor, await computed(tensor)));
    }
    comparisons.push(...(await compareStages(recorded, component, form)));
    return comparisons;
  });
}

/** Moments of a clip, or a sample of them by the recorded noise. */
function encoded(recorded: RecordedSet, vae: Vae, clip: string) {
  return async (tensor: string): Promise<Float32Array> => {
    const pixels = await pixelsOf(recorded, `clip${clip}`);
    const [, frames, , height, width] = five(pixels);
    const shape = { frames, height, width };
    const noise = tensor.startsWith('sample') ? await recorded.read(`noise${clip}`) : undefined;
    return eachSample(pixels, (own, b, batch) =>
      noise === undefined ? vae.moments(own, shape) : vae.encode(own, shape, part(noise, b, batch)),
    );
  };
}

/** Frames of latents, of a sample, or of moments' means: those named by the tensor, all where it names none. */
function decoded(recorded: RecordedSet, vae: Vae) {
  return async (tensor: string): Promise<Float32Array> => {
    const latents = await latentsBehind(recorded, tensor);
    const [, frames, channels, height, width] = five(latents);
    const chosen = chosenFrames(tensor);
    const size = 3 * 16 * height * 16 * width;
    const blended = !tensor.startsWith('unmixed');
    return eachSample(latents, async (own) => {
      const pieces: Float32Array[] = [];
      // A chunk decoded alone has no seams.
      const lengths = blended ? [frames] : latentChunks(frames);
      let from = 0;
      for (const length of lengths) {
        const chunk = own.subarray(from * channels * height * width, (from + length) * channels * height * width);
        for await (const piece of vae.decode(chunk, { frames: length, channels, height, width })) pieces.push(piece);
        from += length;
      }
      const video = joined(pieces);
      return chosen === undefined ? video : joined(chosen.map((t) => video.subarray(t * size, (t + 1) * size)));
    });
  };
}

/** What was decoded: the description says, or what there is, from the most specific on. */
async function latentsBehind(recorded: RecordedSet, tensor: string): Promise<Value> {
  const id = /^[a-z]+([^_]*)/.exec(tensor)?.[1] ?? '';
  const said = /decode\((?:mean of )?(\w+)\)|of (\w+) decoded/.exec(recorded.about(tensor));
  const candidates = [said?.[1] ?? said?.[2], `latent${id}`, `sample${id}`, `moments${id}`];
  const source = candidates.find((name) => name !== undefined && recorded.names.has(name)) ?? `latent${id}`;
  const value = await recorded.read(source);
  return source.startsWith('moments') ? means(value) : value;
}

/** `_frames0_15_16` → [0, 15, 16]; `_frames15to18` → [15, 16, 17, 18]. */
function chosenFrames(tensor: string): number[] | undefined {
  const range = /_frames(\d+)to(\d+)$/.exec(tensor);
  if (range) {
    const [first, last] = [Number(range[1]), Number(range[2])];
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  }
  return /_frames([\d_]+)$/.exec(tensor)?.[1]?.split('_').map(Number);
}

/** Every stage: a clip encoded, then its mean decoded. Sums of the whole stage are compared where only a part is stored. */
async function compareStages(
  recorded: RecordedSet,
  { config, source }: Awaited<ReturnType<typeof openSetComponent<'vae'>>>,
  form: AttentionForm,
): Promise<Comparison[]> {
  const names = [...recorded.names].filter((name) => name.startsWith('stage.'));
  if (names.length === 0) return [];
  const clip = /encode (\w+)/.exec(String(recorded.info.notes ?? ''))?.[1] ?? 'clip_small';
  const pixels = await pixelsOf(recorded, clip);
  const stages: Record<string, Tensor> = {};
  const observe: Observe = (stage, x) => {
    if (recorded.names.has(`stage.${stage}`)) stages[`stage.${stage}`] = x;
  };
  const scope = new Scope();
  const moments = encoder(scope.at('encoder'), config, form)(input('x', pixels.shape), observe);
  decoder(scope.at('decoder'), config, { form })(splitMoments(moments).mean, observe);
  const graph = await compile(stages, { device: 'cpu', threads: 1, weights: await storedWeights(source) });
  const results = await graph.run({ x: pixels });
  await graph.dispose();

  const comparisons: Comparison[] = [];
  for (const [stage, value] of Object.entries(results)) {
    // Recorded with channels before frames.
    const whole = strided(value, { order: [0, 2, 1, 3, 4], steps: [1, 1, 1, 1, 1] });
    const steps = /stored as \[([^\]]+)\]/.exec(recorded.about(stage))?.[1]?.split(',');
    const stored = strided(value, { order: [0, 2, 1, 3, 4], steps: [0, 1, 2, 3, 4].map((i) => stepOf(steps?.[i])) });
    const sampled = await against(recorded, stage, stored);
    comparisons.push({
      ...sampled,
      elements: whole.length,
      ok: sampled.ok && sumsAgree(recorded, stage, whole, sampled),
    });
  }
  return comparisons;
}

/** `::4` → 4, `:` → 1. */
const stepOf = (text: string | undefined): number => Number(/::(\d+)/.exec(text ?? '')?.[1] ?? 1);

/** Mean and deviation of a whole stage, where they were recorded. */
function sumsAgree(recorded: RecordedSet, stage: string, values: Float32Array, { tolerance }: Comparison): boolean {
  const all = recorded.info.stage_stats as Record<string, { mean: number; std: number }> | undefined;
  const stats = all?.[stage];
  if (stats === undefined) return true;
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const std = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1));
  return Math.abs(mean - stats.mean) <= tolerance && Math.abs(std - stats.std) <= tolerance;
}

/** Bytes or numbers of a clip [b, t, c, h, w] → float32 in [-1, 1]. */
export async function pixelsOf(recorded: RecordedSet, name: string): Promise<Value> {
  const { data, shape } = await recorded.read(name);
  return float32(
    Float32Array.from(data as Int32Array, (v) => Math.fround(v / 127.5) - 1),
    shape,
  );
}

/** The first half of the channels: [b, t, 2z, h, w] -> [b, t, z, h, w]. */
function means(moments: Value): Value {
  const [b, t, wide, h, w] = five(moments);
  const half = (wide / 2) * h * w;
  const data = floats(moments).filter((_, i) => i % (2 * half) < half);
  return float32(data, [b, t, wide / 2, h, w]);
}

/** Runs a function of one video on each of a batch, and joins the results. */
async function eachSample(
  batch: Value,
  run: (own: Float32Array, b: number, batch: number) => Promise<Float32Array>,
): Promise<Float32Array> {
  const count = batch.shape[0] as number;
  const results: Float32Array[] = [];
  for (let b = 0; b < count; b++) results.push(await run(part(batch, b, count), b, count));
  return joined(results);
}

function part(value: Value, b: number, batch: number): Float32Array {
  const size = sizeOf(value.shape) / batch;
  return floats(value).subarray(b * size, (b + 1) * size);
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, each) => sum + each.length, 0));
  let at = 0;
  for (const each of parts) {
    out.set(each, at);
    at += each.length;
  }
  return out;
}

async function against(recorded: RecordedSet, name: string, computed: Float32Array): Promise<Comparison> {
  return compare(name, computed, floats(await recorded.read(name)), { deviation: recorded.deviation(name) });
}
