/**
 * One step of a program: a graph with its session, or a host action. Keeps its own clock and traces.
 * Knows which values it reads and gives; does not know the steps around it.
 */
import { StepVideoError } from '../errors.ts';
import type { WeightPlan } from '../onnx/model.ts';
import { nameOf, reachable, type Tensor } from '../tensor/index.ts';
import { type CompileOptions, compile, type Executable } from './compile.ts';
import { mergeOps, type OpProfile, type SegmentProfile, traceFolder } from './profile.ts';
import type { Value, Values } from './value.ts';
import type { ByteRange, WeightFiles } from './weight-files.ts';

/** What is known of a value before any run; undefined where a host action or the caller decides. */
export type ValueType = Pick<Tensor, 'shape' | 'dtype'> | undefined;

export interface Segment {
  readonly name: string;
  readonly reads: ReadonlyMap<string, ValueType>;
  readonly gives: ReadonlyMap<string, ValueType>;
  /** Begins to read what the next run will need of files; does nothing where that is in memory. */
  prepare(): Promise<void>;
  run(values: Values, signal: AbortSignal | undefined): Promise<Values>;
  profile(): Promise<SegmentProfile>;
  dispose(): Promise<void>;
}

export type GraphStep = {
  readonly name: string;
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly weights?: WeightPlan | undefined;
  readonly keepStoredDtype?: boolean | undefined;
  readonly into?: Readonly<Record<string, string | undefined>> | undefined;
  readonly lifetime?: 'program' | 'run' | undefined;
  /** The files behind `weights`, where these are used in place: watched, and read ahead for a segment that opens for each run. */
  readonly files?: WeightFiles | undefined;
};

export type HostStep = {
  readonly name: string;
  readonly reads: readonly string[];
  readonly adds: readonly string[];
  readonly action: (values: Values, context: { signal: AbortSignal | undefined }) => Promise<Values> | Values;
};

export type SegmentOptions = Pick<CompileOptions, 'device' | 'threads' | 'memoryArena'> & {
  readonly profile?: boolean;
};

/** The same error with the step's name in front. */
export function named(step: string, error: unknown): StepVideoError {
  if (error instanceof StepVideoError)
    return new StepVideoError(error.kind, `${step}: ${error.op}`, error.rule, error.got, error.hint, error);
  const reason = error instanceof Error ? error.message : String(error);
  return new StepVideoError('internal', `internal: ${step}`, 'the step must run', reason, undefined, error);
}

export function hostSegment({ name, reads, adds, action }: HostStep): Segment {
  let runs = 0;
  let seconds = 0;
  return {
    name,
    reads: new Map(reads.map((read) => [read, undefined])),
    gives: new Map(adds.map((add) => [add, undefined])),
    prepare: async () => undefined,
    async run(values, signal) {
      const start = performance.now();
      const results = await action(values, { signal });
      seconds += (performance.now() - start) / 1e3;
      runs++;
      return results;
    },
    profile: async () => ({ name, runs, seconds, flops: 0, bytes: 0, ops: [] }),
    dispose: async () => undefined,
  };
}

/** Opens the session at once, unless the step's lifetime is that of one run. */
export async function graphSegment(step: GraphStep, options: SegmentOptions): Promise<Segment> {
  const { name, outputs, weights, keepStoredDtype, into = {}, lifetime = 'program', files } = step;
  const { profile, ...device } = options;
  const totals = { runs: 0, seconds: 0, flops: 0, bytes: 0 };
  let ops: readonly OpProfile[] = [];

  const open = async (): Promise<{ executable: Executable; close(): Promise<void> }> => {
    const trace = profile ? await traceFolder() : undefined;
    const executable = await compile(outputs, {
      ...device,
      weights,
      keepStoredDtype,
      weightsInPlace: files !== undefined,
      profilePrefix: trace?.prefix,
    });
    const close = async (): Promise<void> => {
      if (trace !== undefined) {
        executable.session.endProfiling();
        ops = mergeOps([ops, await trace.read(executable.costs)]);
      }
      await executable.dispose();
    };
    return { executable, close };
  };

  let resident = lifetime === 'program' ? await open() : undefined;
  const ranges = files === undefined ? [] : rangesOf(outputs, weights);
  return {
    name,
    reads: new Map([...leavesOf(outputs, weights), ...targetsOf(into, outputs)]),
    gives: new Map(Object.entries(outputs)),
    async prepare() {
      if (resident === undefined) await files?.readAhead(ranges);
    },
    async run(values) {
      const start = performance.now();
      files?.check();
      const { executable, close } = resident ?? (await open());
      try {
        const results = await executable.run(values, buffersOf(into, values));
        files?.check();
        return results;
      } finally {
        if (resident === undefined) await close();
        totals.seconds += (performance.now() - start) / 1e3;
        totals.runs++;
        for (const cost of executable.costs.values()) {
          totals.flops += cost.flops;
          totals.bytes += cost.bytes;
        }
      }
    },
    async profile() {
      // The runtime writes a trace when tracing ends, so kernels are known only once a session is done.
      if (profile && resident !== undefined) {
        await resident.close();
        resident = undefined;
      }
      return { name, ...totals, ops };
    },
    async dispose() {
      const last = resident;
      resident = undefined;
      await last?.close();
    },
  };
}

/** Where in files the weights of a graph lie. Of a table only the rows that are looked up are read, and these are not known before. */
function rangesOf(outputs: Readonly<Record<string, Tensor>>, weights: WeightPlan | undefined): ByteRange[] {
  const readers = reachable(Object.values(outputs)).filter((node) => node.op !== 'Gather');
  const names = new Set(readers.flatMap(({ inputs }) => inputs.filter((x) => x.op === 'Parameter').map(nameOf)));
  return [...names].flatMap((name) => {
    const stored = weights?.(name);
    return stored !== undefined && 'file' in stored ? [stored] : [];
  });
}

/** What must be fed: inputs, and parameters that the plan does not store. */
function leavesOf(outputs: Readonly<Record<string, Tensor>>, weights: WeightPlan | undefined): Map<string, ValueType> {
  const leaves = reachable(Object.values(outputs)).filter(
    (node) => node.op === 'Input' || (node.op === 'Parameter' && weights?.(nameOf(node)) === undefined),
  );
  return new Map(leaves.map((leaf) => [nameOf(leaf), leaf]));
}

function targetsOf(into: Readonly<Record<string, string | undefined>>, outputs: Readonly<Record<string, Tensor>>) {
  return Object.entries(into).flatMap(([output, value]): [string, ValueType][] =>
    value === undefined ? [] : [[value, outputs[output]]],
  );
}

function buffersOf(into: Readonly<Record<string, string | undefined>>, values: Values): Record<string, Value> {
  const buffers: Record<string, Value> = {};
  for (const [output, value] of Object.entries(into)) if (value !== undefined) buffers[output] = values[value] as Value;
  return buffers;
}
