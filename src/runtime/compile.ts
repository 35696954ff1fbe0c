/**
 * Graph → something that runs: optimise, write ONNX, open a session. Equal graphs on equal weights share one session.
 */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { internalError } from '../errors.ts';
import { type OnnxModel, toOnnx, type WeightPlan } from '../onnx/model.ts';
import { lowerPrecision, optimize, sameShape, type Tensor } from '../tensor/index.ts';
import { type ComputeDtype, inferenceDtype } from './compute-dtype.ts';
import { type Cost, costsOf } from './cost.ts';
import { capabilitiesOf } from './device.ts';
import { quantizeLinears } from './quantized-linear.ts';
import { openSession, type Session, type SessionOptions } from './session.ts';
import { leaseSession } from './session-cache.ts';
import { type Value, type Values, zeros } from './value.ts';

export type CompileOptions = SessionOptions & {
  /** Stored weights; parameters without one become inputs. */
  readonly weights?: WeightPlan | undefined;
  /**
   * Dtype of matrix products, convolutions and attention: float32 unless told, `device` for what suits the device best. Not
   * for graphs with gradients, which 16 bits would need to be scaled for.
   */
  readonly computeDtype?: ComputeDtype | 'device' | undefined;
};

export interface Executable<Names extends string = string> {
  /** Leaves to feed, by name. */
  readonly inputs: ReadonlyMap<string, Tensor>;
  /**
   * Runs once. `into` gives outputs a buffer to be written to; it may be an input's own buffer only where nothing in the
   * graph reads that input after the output is computed, and the output comes from plain arithmetic: the kernel of Gelu, for
   * one, reads its input again after it has begun to write.
   */
  run(feeds: Values, into?: Partial<Record<Names, Value>>): Promise<Record<Names, Value>>;
  /** What each node of the model costs, by the node's name. */
  readonly costs: ReadonlyMap<string, Cost>;
  readonly session: Session;
  /** Gives the session back; it closes when no other executable shares it. */
  dispose(): Promise<void>;
}

/**
 * Compiles the graph that `outputs` reach for `options.device`.
 * Weights stored in 16 bits stay so in memory unless `keepStoredDtype` is false; feeds are checked on every run.
 */
export async function compile<Names extends string>(
  outputs: Readonly<Record<Names, Tensor>>,
  options: CompileOptions,
): Promise<Executable<Names>> {
  const names = Object.keys(outputs) as Names[];
  const { weights, device, threads, memoryArena, memoryPattern, profilePrefix } = options;
  const { keepStoredDtype, deviceOnly, weightsInPlace, computeDtype = 'float32' } = options;
  const dtype = computeDtype === 'device' ? await inferenceDtype(device) : computeDtype;
  const quantized = quantizeLinears(optimize(names.map((n) => outputs[n])), weights);
  const { plan } = quantized;
  // Quantized products have their own arithmetic; the others are lowered around them.
  const written =
    dtype === 'float32'
      ? quantized.outputs
      : optimize(lowerPrecision(quantized.outputs, dtype, (n) => plan(n) !== undefined));
  const ending = device === 'cpu';
  const graph = Object.fromEntries(names.map((n, i) => [n, written[i] as Tensor]));
  const { bytes, inputs, nodes, external, decodes } = toOnnx(graph, plan, { ending });
  // Named one by one: these are part of the session's key, and callers may hand over wider objects.
  const settings: SessionOptions = {
    device,
    threads,
    memoryArena,
    memoryPattern,
    profilePrefix,
    deviceOnly,
    keepStoredDtype: decodes && keepStoredDtype !== false && capabilitiesOf(device).widensStored,
    weightsInPlace,
  };
  const key = await keyOf(bytes, settings, external);
  const lease = await leaseSession(key, () => openSession(bytes, settings, external?.folder));
  const results = names.map((n) => `out:${n}`);
  // Of the graph only shapes are kept: its constants live in the session.
  const types = Object.fromEntries(names.map((n) => [n, typeOf(graph[n] as Tensor)]));
  const leaves = new Map([...inputs].map(([n, leaf]) => [n, typeOf(leaf)]));
  return {
    inputs,
    costs: costsOf(nodes),
    session: lease.session,
    async run(feeds, into = {}) {
      const buffers: Record<string, Value> = {};
      for (const name of names) {
        const value = into[name];
        if (value !== undefined) checkValue(`into ${name}`, value, types[name] as Type);
        const buffer = value ?? (ending ? zerosOf(types[name] as Type) : undefined);
        if (buffer !== undefined) buffers[`out:${name}`] = buffer;
      }
      const values = await lease.session.run(checkedFeeds(leaves, feeds), results, buffers);
      return Object.fromEntries(names.map((n) => [n, values[`out:${n}`]])) as Record<Names, Value>;
    },
    dispose: lease.release,
  };
}

type Type = Pick<Tensor, 'shape' | 'dtype'>;
const zerosOf = ({ shape, dtype }: Type): Value => zeros(shape, dtype);
const typeOf = ({ shape, dtype }: Tensor): Type => ({ shape, dtype });

/** The feeds that the graph takes, no more. */
function checkedFeeds(inputs: ReadonlyMap<string, Type>, feeds: Values): Values {
  const taken: Record<string, Value> = {};
  for (const [name, leaf] of inputs) {
    const value = feeds[name];
    if (value === undefined)
      throw internalError('run', `input ${name} must be fed`, Object.keys(feeds).join(' ').slice(0, 120));
    checkValue(name, value, leaf);
    taken[name] = value;
  }
  return taken;
}

function checkValue(name: string, value: Value, type: Type): void {
  if (!sameShape(value.shape, type.shape) || value.dtype !== type.dtype)
    throw internalError(
      'run',
      `${name} must be ${type.dtype}[${type.shape.join(', ')}]`,
      `${value.dtype}[${value.shape.join(', ')}]`,
    );
}

/** Names what a session depends on: the model, how it is opened, and the files behind it as they are now. */
async function keyOf(bytes: Uint8Array, settings: SessionOptions, external: OnnxModel['external']): Promise<string> {
  const files = await Promise.all(
    (external?.files ?? []).map(async (file) => {
      const { size, mtimeMs, ino } = await stat(file);
      return [file, size, mtimeMs, ino];
    }),
  );
  const hash = createHash('sha256').update(bytes).digest('hex');
  return JSON.stringify([hash, Object.entries(settings).sort(), files]);
}
