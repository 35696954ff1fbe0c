/**
 * Skips most of the denoiser at steps where its first block hardly changes its mind: what the other blocks added to the stream
 * at the last full step is added again. Knows the network's outer shape only; does not know samplers or guidance.
 */
import { inputError, internalError } from '../errors.ts';
import { Scope } from '../nn/scope.ts';
import type { Executable } from '../runtime/compile.ts';
import { compileCache } from '../runtime/compile-cache.ts';
import { floats, type Value, type Values } from '../runtime/value.ts';
import { type AttentionForm, add, input, reshape, sub, substitute, type Tensor } from '../tensor/index.ts';
import type { TransformerConfig } from '../weights/component-config.ts';
import { type DitInputs, ditVelocity } from './model.ts';

/**
 * What one run of a sampler remembers. Belongs to one video, or to videos denoised together; its first step is a full one,
 * so a run that begins anew at a full step with an empty cache goes on as the first would have.
 */
export class StepCache {
  /** A step is skipped where the first block's change differs from that of the last full step by less than this, relatively. */
  readonly threshold: number;
  readonly #taken = { full: 0, skipped: 0 };
  #wasFull = true;
  #kept: { readonly change: Value; readonly rest: Value } | undefined;

  /** `threshold` 0 never skips. @throws input error for one that is negative or not finite. */
  constructor(threshold: number) {
    if (!(threshold >= 0 && threshold < Number.POSITIVE_INFINITY))
      throw inputError('step cache', 'threshold must be a number from 0', threshold);
    this.threshold = threshold;
  }

  /** Steps so far. */
  get steps(): { readonly full: number; readonly skipped: number } {
    return this.#taken;
  }

  /** Whether the last step was a full one. */
  get wasFull(): boolean {
    return this.#wasFull;
  }

  /** What the blocks after the first added at the last full step, if `change` is near enough to that one's. */
  near(change: Value): Value | undefined {
    const kept = this.#kept;
    if (kept === undefined || change.data.length !== kept.change.data.length) return undefined;
    return relativeDifference(floats(change), floats(kept.change)) < this.threshold ? kept.rest : undefined;
  }

  /** Counts a step; a full one is remembered. */
  took(full?: { readonly change: Value; readonly rest: Value }): void {
    this.#wasFull = full !== undefined;
    this.#taken[full ? 'full' : 'skipped']++;
    if (full) this.#kept = full;
  }
}

/** Mean |a - b| over mean |b|. */
function relativeDifference(a: Float32Array, b: Float32Array): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    difference += Math.abs(a[i]! - b[i]!);
    size += Math.abs(b[i]!);
  }
  return difference / size;
}

/** The network cut after its first block and after its last. */
type Cuts = {
  /** `first`: the stream after the first block; `change`: what that block added. [B, N, D] both. */
  readonly front: Readonly<Record<'first' | 'change', Tensor>>;
  /** From `first`: the velocity, and what the blocks after the first added. */
  readonly rest: Readonly<Record<'velocity' | 'rest', Tensor>>;
  /** The velocity from `first` and `rest`. */
  readonly skip: Readonly<Record<'velocity', Tensor>>;
};

/** The graphs of cached steps for inputs of the given sizes. */
export function cachedGraphs(config: TransformerConfig, form: AttentionForm, inputs: DitInputs): Cuts {
  const layers = config.num_layers;
  if (layers < 2) throw inputError('step cache', 'the denoiser must have at least 2 blocks', layers, 'step cache 0');
  const seen = new Map<string, Tensor>();
  const velocity = ditVelocity(new Scope(), config, form)(inputs, (name, x) => void seen.set(name, x));
  const stream = (name: string): Tensor => {
    const x = seen.get(name);
    if (x === undefined) throw internalError('step cache', 'the denoiser must show its stream', name);
    return x;
  };
  const first = stream('transformer_blocks.0');
  const last = stream(`transformer_blocks.${layers - 1}`);
  const change = sub(first, reshape(stream('pos_embed'), first.shape));
  const fed = input('first', first.shape);
  const [restVelocity, lastAgain] = substitute([velocity, last], new Map([[first, fed]])) as [Tensor, Tensor];
  const guessed = add(fed, input('rest', last.shape));
  const [skipVelocity] = substitute([velocity], new Map([[last, guessed]])) as [Tensor];
  return {
    front: { first, change },
    rest: { velocity: restVelocity, rest: sub(lastAgain, fed) },
    skip: { velocity: skipVelocity },
  };
}

/** Compiled `cachedGraphs` for sizes as they come; `build` makes the graphs of a size. */
export function cachedRunner(
  compile: <Names extends string>(outputs: Readonly<Record<Names, Tensor>>) => Promise<Executable<Names>>,
  kept: number,
) {
  const fronts = compileCache<'first' | 'change'>(kept);
  const rests = compileCache<'velocity' | 'rest'>(kept);
  const skips = compileCache<'velocity'>(kept);
  return {
    /** One step. `key` names the sizes of `feeds`. */
    async velocity(key: string, feeds: Values, cache: StepCache, build: () => Cuts): Promise<Value> {
      const front = await fronts.get(key, async () => compile(build().front));
      const { first, change } = await front.run(feeds);
      const rest = cache.near(change);
      if (rest !== undefined) {
        const skip = await skips.get(key, async () => compile(build().skip));
        const { velocity } = await skip.run({ ...feeds, first, rest });
        cache.took();
        return velocity;
      }
      const full = await rests.get(key, async () => compile(build().rest));
      const result = await full.run({ ...feeds, first });
      cache.took({ change, rest: result.rest });
      return result.velocity;
    },
    async dispose(): Promise<void> {
      await Promise.all([fronts.dispose(), rests.dispose(), skips.dispose()]);
    },
  };
}
