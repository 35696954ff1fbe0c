/**
 * Graph → something that runs: optimise, write ONNX, open a session. Equal graphs on equal weights share one session.
 */
import { internalError } from '../errors.ts';
import { toOnnx, type WeightPlan } from '../onnx/model.ts';
import { optimize, sameShape, type Tensor } from '../tensor/index.ts';
import { openSession, type Session, type SessionOptions } from './session.ts';
import type { Value, Values } from './value.ts';

export type CompileOptions = SessionOptions & {
  /** Stored weights; parameters without one become inputs. */
  readonly weights?: WeightPlan | undefined;
};

export interface Executable<Names extends string = string> {
  /** Leaves to feed, by name. */
  readonly inputs: ReadonlyMap<string, Tensor>;
  /**
   * Runs once. `into` gives outputs a buffer to be written to; it may be an input's own buffer only where nothing in the
   * graph reads that input after the output is computed (optimizer updates).
   */
  run(feeds: Values, into?: Partial<Record<Names, Value>>): Promise<Record<Names, Value>>;
  readonly session: Session;
  dispose(): Promise<void>;
}

export async function compile<Names extends string>(
  outputs: Readonly<Record<Names, Tensor>>,
  options: CompileOptions,
): Promise<Executable<Names>> {
  const names = Object.keys(outputs) as Names[];
  const optimized = optimize(names.map((n) => outputs[n]));
  const graph = Object.fromEntries(names.map((n, i) => [n, optimized[i] as Tensor]));
  const model = toOnnx(graph, options.weights);
  const session = await openSession(model.bytes, options);
  return {
    inputs: model.inputs,
    session,
    async run(feeds, into = {}) {
      const taken: Record<string, Value> = {};
      for (const [name, leaf] of model.inputs) {
        const value = feeds[name];
        if (value === undefined)
          throw internalError('run', `input ${name} must be fed`, Object.keys(feeds).join(' ').slice(0, 120));
        if (!sameShape(value.shape, leaf.shape) || value.dtype !== leaf.dtype)
          throw internalError(
            'run',
            `${name} must be ${leaf.dtype}[${leaf.shape.join(', ')}]`,
            `${value.dtype}[${value.shape.join(', ')}]`,
          );
        taken[name] = value;
      }
      const buffers: Record<string, Value> = {};
      for (const name of names) if (into[name] !== undefined) buffers[`out:${name}`] = into[name] as Value;
      const results = await session.run(
        taken,
        names.map((n) => `out:${n}`),
        buffers,
      );
      return Object.fromEntries(names.map((n) => [n, results[`out:${n}`]])) as Record<Names, Value>;
    },
    dispose: () => session.dispose(),
  };
}
