/**
 * The only importer of ONNX Runtime: model bytes in, values out. Knows no graph and no model.
 */
import * as ort from 'onnxruntime-node';
import { internalError } from '../errors.ts';
import type { DType, TypedArray } from '../tensor/index.ts';
import type { Device } from './device.ts';
import type { Value } from './value.ts';

export type SessionOptions = {
  readonly device: Device;
  /** Threads within an op; ONNX Runtime takes all cores unless told. */
  readonly threads?: number | undefined;
  /** Keep 16-bit weights as they are instead of folding their casts into float32 copies at load. */
  readonly keepStoredDtype?: boolean | undefined;
  /** Arena memory kept between runs; off where peak memory matters more than speed. */
  readonly memoryArena?: boolean | undefined;
  readonly profilePrefix?: string | undefined;
};

export interface Session {
  readonly inputNames: readonly string[];
  /** Runs once. An output that has a value in `into` is written to that value's own buffer, which may be an input's. */
  run(
    feeds: Readonly<Record<string, Value>>,
    outputs: readonly string[],
    into?: Readonly<Record<string, Value>>,
  ): Promise<Record<string, Value>>;
  /** Ends profiling; the runtime has then written its trace file. */
  endProfiling(): void;
  dispose(): Promise<void>;
}

/** `model`: bytes, or the path of a file whose folder also holds its external data. */
export async function openSession(model: Uint8Array | string, options: SessionOptions): Promise<Session> {
  const session = await ort.InferenceSession.create(model as string, {
    executionProviders: [options.device],
    logSeverityLevel: 3,
    ...(options.threads !== undefined && { intraOpNumThreads: options.threads }),
    ...(options.memoryArena === false && { enableCpuMemArena: false }),
    ...(options.profilePrefix !== undefined && { enableProfiling: true, profileFilePrefix: options.profilePrefix }),
    extra: { session: { ...(options.keepStoredDtype && { disable_specified_optimizers: 'ConstantFolding' }) } },
  });
  return {
    inputNames: session.inputNames,
    async run(feeds, outputs, into = {}) {
      const fetches: Record<string, ort.Tensor | null> = {};
      for (const name of outputs) fetches[name] = into[name] === undefined ? null : toOrt(into[name]);
      const results = await session.run(mapValues(feeds, toOrt), fetches as ort.InferenceSession.OnnxValueMapType);
      const values: Record<string, Value> = {};
      for (const name of outputs) values[name] = into[name] ?? fromOrt(results[name] as ort.Tensor);
      return values;
    },
    endProfiling: () => session.endProfiling(),
    dispose: () => session.release(),
  };
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, change: (a: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, a]) => [name, change(a)]));
}

const ORT_TYPE = {
  float32: 'float32',
  float16: 'float16',
  int64: 'int64',
  int32: 'int32',
  uint8: 'uint8',
  int8: 'int8',
  bool: 'bool',
} as const;

function toOrt(value: Value): ort.Tensor {
  if (value.dtype === 'bfloat16')
    throw internalError('session', 'a value crosses the border in another dtype', value.dtype);
  return new ort.Tensor(ORT_TYPE[value.dtype], value.data as Float32Array, value.shape as number[]);
}

const fromOrt = (tensor: ort.Tensor): Value => ({
  dtype: tensor.type as DType,
  shape: tensor.dims,
  data: tensor.data as TypedArray,
});
