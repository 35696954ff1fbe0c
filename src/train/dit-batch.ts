/**
 * Batches of the denoiser: which clips, captions, noise and times, each a function of (seed, index), so that a run resumes
 * from its step alone. Knows latents and tokens; does not know networks.
 */
import { drawTimes, flowMatching } from '../diffusion/flow-matching.ts';
import { gaussian, uniform } from '../diffusion/noise.ts';
import { textBias } from '../dit/load.ts';
import { TIMESTEP_CHANNELS, timestepSinusoid } from '../dit/timestep.ts';
import type { loadTokenizers } from '../prompt/tokenize.ts';
import { float32, floats, int32, type Value, type Values } from '../runtime/value.ts';
import { sizeOf } from '../tensor/index.ts';
import type { DitTraining } from './config.ts';
import type { LatentSet } from './latents.ts';

/** Streams of the noise generator, one a use. */
const STREAM = { noise: 11, time: 12, pick: 13, caption: 14, drop: 15 } as const;

/** One caption for both encoders. */
export type Tokens = { llm: Int32Array; length: number; clip: Int32Array; clipMask: Float32Array };

/** A caption's tokens, each caption tokenized once; Step-LLM's are cut to what training sees. */
export function tokensOf(
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

/** The `bin`-th of so many equal parts of [0, 1]. */
export type TimeBin = { readonly bin: number; readonly of: number };

/**
 * Batch `index` as feeds, a function of (seed, index): which clips, captions, noise, times; captions are dropped for guidance.
 * With a bin, for validation: clips in order, captions kept, times evenly within the bin.
 */
export function batchOf(
  set: LatentSet,
  parts: { config: DitTraining; bucket: number; batch: number; tokenize: (text: string) => Tokens },
): (index: number, plain?: TimeBin) => Values {
  const { config, bucket, batch, tokenize } = parts;
  const size = sizeOf(set.shape);
  const clips = set.captions.length;
  const seed = config.seed * 100 + bucket;
  return (index, plain?) => {
    const at = { seed, length: batch, offset: index * batch };
    const chosen = plain
      ? Array.from({ length: batch }, (_, i) => (index * batch + i) % clips)
      : epochPick(clips, seed, index * batch, batch);
    const data = new Float32Array(batch * size);
    chosen.forEach((clip, b) => {
      data.set(set.latents.subarray(clip * size, (clip + 1) * size), b * size);
    });
    const noise = gaussian({ seed, length: batch * size, offset: index * batch * size, stream: STREAM.noise });
    const times = plain
      ? Float32Array.from({ length: batch }, (_, b) => (plain.bin + (b + 0.5) / batch) / plain.of)
      : drawTimes(config.buckets[bucket]!.density, { ...at, stream: STREAM.time });
    const { noised, velocity } = flowMatching({ data, noise, times });
    const dropped = uniform({ ...at, stream: STREAM.drop });
    const which = uniform({ ...at, stream: STREAM.caption });
    const texts = chosen.map((clip, b) => {
      const captions = set.captions[clip]!;
      return !plain && dropped[b]! < config.captionDrop ? '' : captions[Math.floor(which[b]! * captions.length)]!;
    });
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
