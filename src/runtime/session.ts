/**
 * The only importer of ONNX Runtime: model bytes in, values out. Knows no graph and no model.
 */
import * as ort from 'onnxruntime-node';
import { internalError, StepVideoError } from '../errors.ts';
import { ENDING } from '../onnx/model.ts';
import type { DType, TypedArray } from '../tensor/index.ts';
import type { Device } from './device.ts';
import type { Value } from './value.ts';

/** Of ONNX Runtime. */
export const RUNTIME_VERSION: string = ort.env.versions.node ?? ort.env.versions.common;

export type SessionOptions = {
  readonly device: Device;
  /** Threads within an op; ONNX Runtime takes all cores unless told. */
  readonly threads?: number | undefined;
  /** Keep constants as stored, decoding on each run, instead of holding decoded (or transposed) copies from load on. */
  readonly keepStoredDtype?: boolean | undefined;
  /** Refuse a model of which the device would leave any op to the CPU. */
  readonly deviceOnly?: boolean | undefined;
  /** Constants are large and lie in files: none is decoded or turned at load, whatever its dtype. */
  readonly weightsInPlace?: boolean | undefined;
  /** Arena memory kept between runs; off where peak memory matters more than speed. */
  readonly memoryArena?: boolean | undefined;
  /** One block for all values of a run, laid out after the first, which is then held beside it; off where memory must not grow. */
  readonly memoryPattern?: boolean | undefined;
  /** Start of the path of the trace file that the session writes; absent: no profile. */
  readonly profilePrefix?: string | undefined;
};

export interface Session {
  readonly inputNames: readonly string[];
  /**
   * Runs once, and blocks the thread while it computes. An output that has a value in `into` is written to that value's own
   * buffer, which may be an input's.
   */
  run(
    feeds: Readonly<Record<string, Value>>,
    outputs: readonly string[],
    into?: Readonly<Record<string, Value>>,
  ): Promise<Record<string, Value>>;
  /** Ends profiling; the runtime has then written its trace file. */
  endProfiling(): void;
  dispose(): Promise<void>;
}

/** Larger results of constant expressions are computed on each run where stored dtypes are kept. */
const FOLDED_BYTES = 64 * 1024;

/** Its kernel rounds otherwise than the sum and norm that it joins, so results would depend on where a network is cut into stages. */
const UNWANTED = 'SkipLayerNormFusion';

/**
 * What the binding says of `ENDING` when a run is over, before it turns to the results. It would copy each of them into new
 * memory, those too that were given memory to be in; of a model that ends so nothing is copied. A binding that can carry
 * sequences will not say it, and no harm done.
 */
const OVER = 'Non tensor type is temporarily not supported';

/**
 * Opens `model`; external weights are looked up in `weightFolder`.
 * @throws environment error where the device cannot be opened; internal error where the model is at fault.
 */
export async function openSession(model: Uint8Array, options: SessionOptions, weightFolder?: string): Promise<Session> {
  const session = await createSession(model, options, weightFolder);
  const endsEarly = session.outputNames.includes(ENDING);
  return {
    inputNames: session.inputNames,
    async run(feeds, outputs, into = {}) {
      const fetches: Record<string, ort.Tensor | null> = {};
      if (endsEarly && outputs.every((name) => into[name] !== undefined)) fetches[ENDING] = null;
      for (const name of outputs) fetches[name] = into[name] === undefined ? null : toOrt(into[name]);
      const results = await session
        .run(mapValues(feeds, toOrt), fetches as ort.InferenceSession.OnnxValueMapType)
        .catch((error: unknown): Record<string, ort.Tensor> => {
          if (ENDING in fetches && error instanceof Error && error.message.includes(OVER)) return {};
          throw error;
        });
      const values: Record<string, Value> = {};
      for (const name of outputs) values[name] = into[name] ?? fromOrt(results[name] as ort.Tensor);
      return values;
    },
    endProfiling: () => session.endProfiling(),
    dispose: () => session.release(),
  };
}

async function createSession(model: Uint8Array, options: SessionOptions, weightFolder: string | undefined) {
  const { device, threads, memoryArena, memoryPattern, profilePrefix } = options;
  const { keepStoredDtype, deviceOnly, weightsInPlace } = options;
  try {
    return await ort.InferenceSession.create(model, {
      executionProviders: [device],
      logSeverityLevel: 3,
      ...(threads !== undefined && { intraOpNumThreads: threads }),
      ...(memoryArena === false && { enableCpuMemArena: false }),
      ...(memoryPattern === false && { enableMemPattern: false }),
      ...(profilePrefix !== undefined && { enableProfiling: true, profileFilePrefix: profilePrefix }),
      extra: {
        session: {
          // Idle workers of one session must not spin while another computes.
          force_spinning_stop: '1',
          ...(deviceOnly && { disable_cpu_ep_fallback: '1' }),
          ...(weightFolder !== undefined && { model_external_initializers_file_folder_path: weightFolder }),
        },
        optimization: {
          disable_specified_optimizers: UNWANTED,
          ...((keepStoredDtype || weightsInPlace) && {
            constant_folding_max_output_size_in_bytes: String(FOLDED_BYTES),
          }),
        },
      },
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (device === 'cpu')
      throw new StepVideoError('internal', 'internal: session', 'the model must load', reason, undefined, error);
    throw new StepVideoError(
      'environment',
      'session',
      `device ${device} must open the model`,
      reason,
      'device cpu',
      error,
    );
  }
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, change: (a: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, a]) => [name, change(a)]));
}

function toOrt({ dtype, data, shape }: Value): ort.Tensor {
  if (dtype === 'bfloat16') throw internalError('session', 'a value must cross to the device in another dtype', dtype);
  return new ort.Tensor(dtype, data as Float32Array, shape as number[]);
}

function fromOrt(tensor: ort.Tensor): Value {
  const dtype = tensor.type as DType;
  const data = tensor.data as TypedArray;
  // Newer engines have a Float16Array; ours are bit patterns.
  if (dtype === 'float16')
    return { dtype, shape: tensor.dims, data: new Uint16Array(data.buffer, data.byteOffset, data.length) };
  return { dtype, shape: tensor.dims, data };
}
