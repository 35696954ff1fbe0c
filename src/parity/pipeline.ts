/**
 * A recorded run of the whole system, through the functions that generation itself uses: ids, states, velocities, latents,
 * frames. Only the noise is given.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { euler } from '../diffusion/euler.ts';
import { guided } from '../diffusion/guidance.ts';
import { schedule } from '../diffusion/schedule.ts';
import { checkpointError } from '../errors.ts';
import { latentShape } from '../latents.ts';
import { loadPipeline } from '../pipeline.ts';
import { presetOf } from '../presets.ts';
import { loadTokenizers } from '../prompt/tokenize.ts';
import { floats } from '../runtime/value.ts';
import { loadTextEncoders } from '../text/load.ts';
import { framesFromDecoded } from '../video/pixels.ts';
import { type Comparison, compare, compareExactly } from './compare.ts';
import { type RecordedSet, withRecordedSet } from './vectors.ts';

const requestSchema = z.looseObject({
  prompt: z.string(),
  height: z.number(),
  width: z.number(),
  num_frames: z.number(),
  num_inference_steps: z.number(),
  guidance_scale: z.number(),
  time_shift: z.number(),
  pos_magic: z.string().default(''),
  neg_magic: z.string().default(''),
});
type Request = z.infer<typeof requestSchema>;

const OPTIONS = { device: 'cpu', threads: 1 } as const;
const SCHEDULE_TOLERANCE = 1e-6;
const FRAME_TOLERANCE = 1;

/** Everything recorded in run `name` of directory `dir`. */
export function comparePipeline(dir: string, name: string): Promise<Comparison[]> {
  return withRecordedSet(dir, name, async (recorded) => {
    const parsed = requestSchema.safeParse(recorded.info.request);
    if (!parsed.success)
      throw checkpointError(`recorded set ${name}`, 'must hold its request', parsed.error.issues[0]?.message);
    const request = parsed.data;
    const checkpoint = join(dir, String(recorded.info.checkpoint ?? 'checkpoint'));
    const texts = [request.prompt + request.pos_magic, request.neg_magic];
    const comparisons = [
      ...(await compareText(recorded, checkpoint, texts)),
      ...(await compareSampling(recorded, checkpoint, { request, texts })),
    ];
    return comparisons;
  });
}

/** Prompts, ids, masks and the states of every position. */
async function compareText(recorded: RecordedSet, checkpoint: string, texts: readonly string[]): Promise<Comparison[]> {
  const comparisons = [compareTexts('prompts', texts, recorded.info.prompts as string[] | undefined)];
  const tokenizers = await loadTokenizers(checkpoint);
  const tokens = texts.map((text) => tokenizers.tokenizePrompt(text));
  const ids = {
    llm_ids: tokens.flatMap(({ llm }) => [...llm.ids]),
    clip_ids: tokens.flatMap(({ clip }) => [...clip.ids]),
    clip_mask: tokens.flatMap(({ clip }) => [...clip.mask]),
    // Every position of CLIP is attended, padding included.
    prompt_mask: tokens.flatMap(({ llm, clip }) => [...clip.mask.map(() => 1), ...llm.mask]),
  };
  for (const [tensor, computed] of Object.entries(ids))
    comparisons.push(compareExactly(tensor, computed, (await recorded.read(tensor)).data as Int32Array));
  const encoders = await loadTextEncoders(checkpoint, OPTIONS);
  recorded.alsoClose(encoders);
  const states = await encoders.encode(tokens, { whole: true });
  for (const encoder of ['llm', 'clip'] as const)
    comparisons.push(await against(recorded, `${encoder}_states`, floats(states[encoder])));
  return comparisons;
}

/** As `compareExactly`, of strings: each difference counts one. */
function compareTexts(name: string, computed: readonly string[], recorded: readonly string[] | undefined): Comparison {
  const same = computed.map((text, i) => Number(text === recorded?.[i]));
  return compareExactly(name, same, new Array<number>(recorded?.length ?? computed.length).fill(1));
}

type Sampling = { request: Request; texts: readonly string[] };

/** From the recorded noise to frames. */
async function compareSampling(
  recorded: RecordedSet,
  checkpoint: string,
  { request, texts }: Sampling,
): Promise<Comparison[]> {
  const comparisons: Comparison[] = [];
  const noise = await recorded.read('noise');
  const pipeline = await loadPipeline(checkpoint, { ...OPTIONS, preset: presetOf(checkpoint) });
  recorded.alsoClose(pipeline);
  // Sizes that are no multiples are rounded down, as the official pipeline does.
  const size = {
    frames: Math.max(17 * Math.floor(request.num_frames / 17), 1),
    height: Math.max(16 * Math.floor(request.height / 16), 16),
    width: Math.max(16 * Math.floor(request.width / 16), 16),
  };
  const shape = latentShape(size, pipeline.latentChannels);
  const { frames, channels, height, width } = shape;
  comparisons.push(compareExactly('size of latents', [1, frames, channels, height, width], noise.shape));

  const text = await pipeline.encodeText(texts);
  const times = schedule({ steps: request.num_inference_steps, timeShift: request.time_shift });
  const timesteps = floats(await recorded.read('timesteps'));
  comparisons.push(compare('timesteps', times.subarray(0, -1), timesteps, { tolerance: SCHEDULE_TOLERANCE }));
  let calls = 0;
  const seen: [string, Float32Array][] = [];
  const both = guided(async (latents, batch, t) => {
    const velocity = await pipeline.velocity({ latents, batch, shape, t, text });
    seen.push([`velocity${calls}`, velocity]);
    return velocity;
  }, request.guidance_scale);
  const velocity = async (latents: Float32Array, t: number): Promise<Float32Array> => {
    const v = await both(latents, t);
    seen.push([`guided_velocity${calls++}`, v]);
    return v;
  };
  let latents = floats(noise);
  for await (const at of euler({ velocity, latents, times })) {
    latents = at.latents;
    seen.push([`latents${at.step}`, latents]);
  }
  for (const [tensor, computed] of seen) comparisons.push(await against(recorded, tensor, computed));

  const pieces: Float32Array[] = [];
  for await (const piece of pipeline.decode(latents, shape)) pieces.push(piece.slice());
  comparisons.push(...(await compareFrames(recorded, pieces, size)));
  return comparisons;
}

/** The frames kept as numbers, then all of them as bytes. */
async function compareFrames(
  recorded: RecordedSet,
  pieces: readonly Float32Array[],
  { frames, height, width }: { frames: number; height: number; width: number },
): Promise<Comparison[]> {
  const each = 3 * height * width;
  const list = pieces.flatMap((piece) =>
    Array.from({ length: piece.length / each }, (_, t) => piece.subarray(t * each, (t + 1) * each)),
  );
  const named = /frames \[([\d, ]+)\]/.exec(recorded.about('decoded'))?.[1]?.split(',').map(Number);
  const kept = named ?? list.map((_, t) => t);
  const numbers = new Float32Array(kept.length * each);
  kept.forEach((t, i) => {
    numbers.set(list[t] ?? new Float32Array(each).fill(Number.NaN), i * each);
  });
  const rgb = list.flatMap((frame) => framesFromDecoded(frame, { frames: 1, height, width }));
  const bytes = Buffer.concat(rgb.map((frame) => cropped(frame, height, width)));
  const record = (await recorded.read('frames')).data as Int32Array;
  return [
    compareExactly('number of frames', [list.length], [frames]),
    await against(recorded, 'decoded', numbers),
    compare('frames', bytes, record, { tolerance: FRAME_TOLERANCE }),
  ];
}

/** The official centre crop to 960x540 or 540x960, with what its negative starts do to smaller pictures. */
function cropped(rgb: Uint8Array, height: number, width: number): Uint8Array {
  const [middleRow, middleColumn] = [Math.floor(height / 2), Math.floor(width / 2)];
  if (middleRow === middleColumn) return rgb;
  const [up, left] = middleColumn > middleRow ? [270, 480] : [480, 270];
  const [top, bottom] = span(middleRow, up, height);
  const [first, last] = span(middleColumn, left, width);
  const out = new Uint8Array(Math.max(0, bottom - top) * Math.max(0, last - first) * 3);
  for (let row = top; row < bottom; row++)
    out.set(rgb.subarray((row * width + first) * 3, (row * width + last) * 3), (row - top) * (last - first) * 3);
  return out;
}

/** Where [middle - reach : middle + reach] begins and ends in Python: a negative start counts from the end. */
function span(middle: number, reach: number, size: number): readonly [number, number] {
  const start = middle - reach;
  return [start < 0 ? Math.max(0, size + start) : start, Math.min(size, middle + reach)];
}

async function against(recorded: RecordedSet, tensor: string, computed: ArrayLike<number>): Promise<Comparison> {
  const { data } = await recorded.read(tensor);
  return compare(tensor, computed, data as Float32Array, { deviation: recorded.deviation(tensor) });
}
