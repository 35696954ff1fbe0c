/**
 * Is a computed tensor equal to a recorded one? The rule of tolerance, for whole tensors and for sampled ones with statistics.
 * Does not know files or models.
 */
import { checkpointError } from '../errors.ts';
import type { Deviation, Stats } from './vectors.ts';

export type Comparison = {
  readonly name: string;
  readonly elements: number;
  /** Largest absolute difference. */
  readonly absolute: number;
  /** The same, over the largest recorded magnitude. */
  readonly relative: number;
  readonly tolerance: number;
  readonly ok: boolean;
};

type Numbers = ArrayLike<number>;

/** Tensors of more elements than this are stored as that many samples. */
const SAMPLES = 512;
const RELATIVE = 2e-5;
const TIMES_RECORDED = 10;
const RELATIVE_OF_PREFERENCE = 1e-2;
const SINGLE_ELEMENT = 1e-3;

/** The larger of 10 times the recorded float64 deviation and 2e-5 of the largest magnitude. */
export function toleranceOf(largest: number, deviation: Pick<Deviation, 'float64'> | undefined): number {
  return Math.max(TIMES_RECORDED * (deviation?.float64 ?? 0), RELATIVE * largest);
}

/** Compares element by element; sizes that differ, and values that are no numbers, fail. */
export function compare(
  name: string,
  computed: Numbers,
  recorded: Numbers,
  options: { deviation?: Pick<Deviation, 'float64'> | undefined; tolerance?: number } = {},
): Comparison {
  let absolute = computed.length === recorded.length ? 0 : Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < recorded.length; i++) {
    const difference = Math.abs((computed[i] as number) - (recorded[i] as number));
    if (!(difference <= absolute)) absolute = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
    largest = Math.max(largest, Math.abs(recorded[i] as number));
  }
  const tolerance = options.tolerance ?? toleranceOf(largest, options.deviation);
  const relative = absolute === 0 ? 0 : absolute / largest;
  return { name, elements: recorded.length, absolute, relative, tolerance, ok: absolute <= tolerance };
}

/** What is stored of a large tensor: flat row-major index k · floor(size / 512) for k < 512; a small one whole. */
export function sample(values: Numbers): Float32Array {
  if (values.length <= SAMPLES) return Float32Array.from(values);
  const step = Math.floor(values.length / SAMPLES);
  return Float32Array.from({ length: SAMPLES }, (_, k) => values[k * step] as number);
}

/** l2 norm, sum, and dot with w_i = ((i · 2654435761) mod 2^32) / 2^32 - 0.5, in float64. */
export function statsOf(values: Numbers): Stats {
  let squares = 0;
  let sum = 0;
  let dot = 0;
  for (let i = 0; i < values.length; i++) {
    const v = values[i] as number;
    squares += v * v;
    sum += v;
    dot += v * ((Math.imul(i, 2654435761) >>> 0) / 2 ** 32 - 0.5);
  }
  return { l2: Math.sqrt(squares), sum, dot };
}

/**
 * Compares a whole computed tensor with a sampled record: the samples element by element, and statistics of the rest. An error of
 * `tolerance` in every element, of random sign, moves the sums by no more than `tolerance` times the root of their number; 4 deviations are allowed.
 */
export function compareSampled(
  name: string,
  computed: Numbers,
  recorded: SampledRecord,
  tolerance?: number,
): Comparison {
  const samples = compare(name, sample(computed), recorded.samples, {
    deviation: recorded.deviation,
    ...(tolerance !== undefined && { tolerance }),
  });
  const within = sumsAgree(name, computed, recorded, samples.tolerance);
  return { ...samples, elements: computed.length, ok: samples.ok && within };
}

/** What is stored of a tensor that may have been sampled. */
export type SampledRecord = { samples: Numbers; stats: Stats | undefined; deviation: Deviation | undefined };

function sumsAgree(name: string, computed: Numbers, { stats }: SampledRecord, tolerance: number): boolean {
  if (computed.length <= SAMPLES) return true;
  if (stats === undefined) throw checkpointError('recorded set', `${name} must have statistics`, 'none');
  const own = statsOf(computed);
  const allowed = 4 * tolerance * Math.sqrt(computed.length);
  return (['l2', 'sum', 'dot'] as const).every((key) => Math.abs(own[key] - stats[key]) <= allowed);
}

/** Gradients of the preference loss: fp32 noise is multiplied by beta, so they are held to 1e-2 of their size. */
export function compareRelative(name: string, computed: Numbers, recorded: SampledRecord): Comparison {
  const largest = Array.from(recorded.samples).reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  const usual = toleranceOf(largest, recorded.deviation);
  return compareSampled(name, computed, recorded, Math.max(usual, RELATIVE_OF_PREFERENCE * largest));
}

/**
 * Weights after AdamW, which divides by a gradient's own size: an element whose gradient is almost zero may end anywhere within
 * a learning rate, so one element in a thousand (or one) may be off by 1e-3, and the rest keep to the deviation of 99.9 % of them.
 */
export function compareUpdated(name: string, computed: Numbers, recorded: SampledRecord): Comparison {
  const { samples, deviation } = recorded;
  const float64 = deviation?.['float64_99.9%'] ?? deviation?.float64 ?? 0;
  const strict = compare(name, sample(computed), samples, { deviation: { float64 } });
  const own = sample(computed);
  let outside = 0;
  for (let i = 0; i < samples.length; i++) if (!(Math.abs(own[i]! - samples[i]!) <= strict.tolerance)) outside++;
  const within = strict.absolute <= SINGLE_ELEMENT && outside <= Math.ceil(samples.length / 1000);
  // Of a thousand elements one at 1e-3 adds as much as all at 1e-3 / sqrt(1000).
  const spread = strict.tolerance + SINGLE_ELEMENT / Math.sqrt(1000);
  return {
    ...strict,
    elements: computed.length,
    tolerance: SINGLE_ELEMENT,
    ok: within && sumsAgree(name, computed, recorded, spread),
  };
}

/** Whole numbers, shapes and other things that are equal or not. */
export const compareExactly = (name: string, computed: Numbers, recorded: Numbers): Comparison =>
  compare(name, computed, recorded, { tolerance: 0 });
