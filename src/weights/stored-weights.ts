/**
 * A component's tensors as a compiler wants them: each in the dtype that it is stored in, so that 16-bit files stay half as large.
 * Copied into the model, or left in their files for the runtime to map.
 */
import { StepVideoError } from '../errors.ts';
import type { StoredBytes, StoredWeight, WeightPlan } from '../onnx/model.ts';
import { openWeightFiles, type WeightFiles } from '../runtime/weight-files.ts';
import { planWeights } from '../runtime/weight-plan.ts';
import type { DType as GraphDType } from '../tensor/index.ts';
import { type DType, storedBytes, type TensorEntry, type TensorSource } from './tensor-entry.ts';

/** Dtypes that devices cast themselves; all others are decoded here. */
const AS_STORED: Partial<Record<DType, GraphDType>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

/** A serialised model ends here, by the format's own signed length. */
const LARGEST_MODEL = 2 ** 31 - 2 ** 20;

/** Reads every tensor of `source` and plans it as an initializer. Throws an environment error where they exceed what one model can hold. */
export async function storedWeights(source: TensorSource): Promise<WeightPlan> {
  const entries = [...source.tensors.values()];
  const bytes = entries.reduce((total, entry) => total + storedBytes(entry), 0);
  if (bytes > LARGEST_MODEL)
    throw new StepVideoError(
      'environment',
      'load',
      `weights embedded in one model must stay below ${LARGEST_MODEL} bytes`,
      `${bytes} in ${source.path}`,
    );
  const stored = new Map<string, StoredWeight>();
  for (const entry of entries) stored.set(entry.name, await read(source, entry));
  return (name) => stored.get(name);
}

async function read(source: TensorSource, entry: TensorEntry): Promise<StoredWeight> {
  if (entry.quantized === undefined) return readPlain(source, entry);
  const { form, scale } = entry.quantized;
  const packed = { dtype: 'uint8', bytes: await source.readTensor(entry) } as const;
  return { form, packed, scale: await readPlain(source, scale) };
}

async function readPlain(source: TensorSource, entry: TensorEntry): Promise<StoredBytes> {
  const dtype = AS_STORED[entry.dtype];
  if (dtype !== undefined) return { dtype, bytes: await source.readTensor(entry) };
  const data = await source.readFloat32(entry);
  return { dtype: 'float32', bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

export type MappedWeights = { readonly weights: WeightPlan; readonly files: WeightFiles };

/** Plans every tensor of `source` where it lies, and opens the files to watch them and to read ahead. `files` is the caller's to close. */
export async function mappedWeights(source: TensorSource): Promise<MappedWeights> {
  const files = await openWeightFiles([...new Set([...source.tensors.values()].map((entry) => entry.file))]);
  try {
    return { weights: await planWeights(source, 'external'), files };
  } catch (error) {
    await files.close();
    throw error;
  }
}
