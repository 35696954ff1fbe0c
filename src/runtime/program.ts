/**
 * A program: graph segments, each one session, with host actions between them; values flow by name.
 * Streams weights, reports progress, stops between steps. Does not know what its segments compute.
 */
import { internalError, StepVideoError } from '../errors.ts';
import { sameShape, type Tensor } from '../tensor/index.ts';
import type { SegmentProfile } from './profile.ts';
import {
  type GraphStep,
  graphSegment,
  type HostStep,
  hostSegment,
  named,
  type Segment,
  type SegmentOptions,
  type ValueType,
} from './segment.ts';
import type { Value, Values } from './value.ts';

export type GraphOptions<Names extends string, Have extends string> = Pick<
  GraphStep,
  'weights' | 'keepStoredDtype' | 'files'
> & {
  /** Outputs written into the buffer of a value that is there already, which then holds the new elements under both names. */
  readonly into?: { readonly [N in Names]?: Have };
  /** `run`: the session lives for one step only, so that its weights leave memory; else as long as the program. */
  readonly lifetime?: 'program' | 'run';
};

export type HostAction<Reads extends string, Adds extends string> = (
  values: Readonly<Record<Reads, Value>>,
  context: { readonly signal: AbortSignal | undefined },
) => Promise<Readonly<Record<Adds, Value>>> | Readonly<Record<Adds, Value>>;

export type StepProgress = {
  readonly name: string;
  readonly step: number;
  readonly of: number;
  readonly seconds: number;
};

export type RunOptions<Names extends string> = {
  readonly returns: readonly Names[];
  readonly signal?: AbortSignal | undefined;
  /** Called after each step. */
  readonly onProgress?: ((progress: StepProgress) => void) | undefined;
};

/** `profile` traces every kernel; it costs time, and a temporary file a session. */
export type ProgramOptions = SegmentOptions;

export interface Program<Fed extends string, Have extends string> {
  /**
   * Runs all steps in order and returns the values named by `returns`; every other is dropped after its last reader.
   * @throws the error of a step with the step's name in front; an aborted error between steps once `signal` fires.
   */
  run<Names extends Have>(
    feeds: Readonly<Record<Fed, Value>>,
    options: RunOptions<Names>,
  ): Promise<Record<Names, Value>>;
  /** Times and costs since the program was compiled. Where it was compiled to trace kernels, this ends the tracing. */
  profile(): Promise<SegmentProfile[]>;
  dispose(): Promise<void>;
}

/** Starts a program whose caller feeds the values named. */
export const program = <Fed extends string>(fed: readonly Fed[]): ProgramBuilder<Fed, Fed> =>
  new ProgramBuilder(fed, []);

/** Immutable: each call returns a longer program. `Have` is every name that the next step may read. */
export class ProgramBuilder<Fed extends string, Have extends string> {
  readonly #fed: readonly Fed[];
  readonly #steps: readonly (GraphStep | HostStep)[];

  constructor(fed: readonly Fed[], steps: readonly (GraphStep | HostStep)[]) {
    this.#fed = fed;
    this.#steps = steps;
  }

  /** A segment on the device. Its inputs are looked up by name among feeds and earlier results. */
  graph<Names extends string>(
    name: string,
    outputs: Readonly<Record<Names, Tensor>>,
    options: GraphOptions<Names, Have> = {},
  ): ProgramBuilder<Fed, Have | Names> {
    return new ProgramBuilder(this.#fed, [
      ...this.#steps,
      { name, outputs, ...(options as GraphOptions<string, string>) },
    ]);
  }

  /** An action on the host between segments: sees the values that it reads, returns those that it adds or replaces. */
  host<Reads extends Have, Adds extends string = never>(
    name: string,
    flow: { readonly reads: readonly Reads[]; readonly adds?: readonly Adds[] },
    action: HostAction<Reads, Adds>,
  ): ProgramBuilder<Fed, Have | Adds> {
    const { reads, adds = [] } = flow;
    return new ProgramBuilder(this.#fed, [...this.#steps, { name, reads, adds, action: action as HostStep['action'] }]);
  }

  /**
   * Opens the sessions of all segments that live as long as the program.
   * @throws where a segment reads a name that nothing gave before it, or one of another shape than it was given.
   */
  async compile(options: ProgramOptions): Promise<Program<Fed, Have>> {
    const segments: Segment[] = [];
    const dispose = async (): Promise<void> => {
      await Promise.all(segments.map((s) => s.dispose()));
    };
    try {
      for (const step of this.#steps) segments.push(await openStep(step, options));
      checkFlow(this.#fed, segments);
    } catch (error) {
      await dispose();
      throw error;
    }
    return {
      run: (feeds, run) => runSegments(segments, feeds, run),
      profile: () => Promise.all(segments.map((s) => s.profile())),
      dispose,
    };
  }
}

const openStep = (step: GraphStep | HostStep, options: SegmentOptions): Promise<Segment> | Segment =>
  'action' in step
    ? hostSegment(step)
    : graphSegment(step, options).catch((error: unknown) => {
        throw named(step.name, error);
      });

/** Every name that a segment reads must be fed or come from an earlier one; where shapes are known they must agree. */
function checkFlow(fed: readonly string[], segments: readonly Segment[]): void {
  const known = new Map<string, ValueType>(fed.map((name) => [name, undefined]));
  for (const { name, reads, gives } of segments) {
    for (const [read, wanted] of reads) {
      if (!known.has(read))
        throw internalError(
          name,
          `value ${read} must be fed or come from an earlier step`,
          [...known.keys()].join(' '),
        );
      const given = known.get(read);
      if (given && wanted && (!sameShape(given.shape, wanted.shape) || given.dtype !== wanted.dtype))
        throw internalError(name, `value ${read} must be ${typeText(wanted)}`, typeText(given));
    }
    for (const [give, type] of gives) known.set(give, type);
  }
}

const typeText = (type: NonNullable<ValueType>): string => `${type.dtype}[${type.shape.join(', ')}]`;

async function runSegments<Names extends string>(
  segments: readonly Segment[],
  feeds: Values,
  options: RunOptions<Names>,
): Promise<Record<Names, Value>> {
  const { returns, signal, onProgress } = options;
  const values = new Map(Object.entries(feeds));
  const given = (name: string, step: string): Value => {
    const value = values.get(name);
    if (value === undefined) throw internalError(step, `value ${name} must be fed`, Object.keys(feeds).join(' '));
    return value;
  };
  const of = segments.length;
  let ahead = prepared(segments[0]);
  for (const [i, segment] of segments.entries()) {
    const failure = await ahead;
    if (signal?.aborted) throw new StepVideoError('aborted', segment.name, `stopped before step ${i + 1} of ${of}`);
    if (failure !== undefined) throw named(segment.name, failure.error);
    // Under way before the segment takes the thread.
    ahead = prepared(segments[i + 1]);
    const start = performance.now();
    const taken = Object.fromEntries([...segment.reads.keys()].map((name) => [name, given(name, segment.name)]));
    const results = await segment.run(taken, signal).catch((error: unknown) => {
      throw named(segment.name, error);
    });
    for (const name of segment.gives.keys()) {
      const value = results[name];
      if (value === undefined)
        throw internalError(segment.name, `must give value ${name}`, Object.keys(results).join(' '));
      values.set(name, value);
    }
    for (const name of values.keys())
      if (!returns.includes(name as Names) && !segments.slice(i + 1).some((s) => s.reads.has(name)))
        values.delete(name);
    onProgress?.({ name: segment.name, step: i + 1, of, seconds: (performance.now() - start) / 1e3 });
  }
  return Object.fromEntries(returns.map((name) => [name, given(name, 'program')])) as Record<Names, Value>;
}

/** Reading ahead fails where its segment is, not before. */
const prepared = (segment: Segment | undefined): Promise<{ error: unknown } | undefined> =>
  segment === undefined
    ? Promise.resolve(undefined)
    : segment.prepare().then(
        () => undefined,
        (error: unknown) => ({ error }),
      );
