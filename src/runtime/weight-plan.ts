/**
 * How a component's weights reach its graphs: copied into the model, read by the runtime straight out of their files, or fed
 * on every run. One plan for any graph; models do not know which.
 */
import { realpath } from 'node:fs/promises';
import { StepVideoError } from '../errors.ts';
import type { StoredWeight, WeightPlan } from '../onnx/model.ts';
import type { DType, QuantizedForm, Shape } from '../tensor/index.ts';
import { float32, type Values } from './value.ts';

/** A tensor in a file, as weight readers describe it; dtypes by their safetensors names. */
export type StoredTensor = {
  readonly name: string;
  readonly dtype: string;
  readonly shape: Shape;
  readonly file: string;
  readonly offset: number;
  readonly byteLength: number;
  /** Present where the bytes are not row-major and gapless. */
  readonly strides?: readonly number[];
  /** Present where the bytes are codes of `shape`'s weights: their form, and the tensor of their scales. */
  readonly quantized?: { readonly form: QuantizedForm; readonly scale: StoredTensor };
};

/** What a plan needs of an opened weight file or component (weights/ has it). */
export interface StoredTensors<Entry extends StoredTensor = StoredTensor> {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, Entry>;
  readTensor(entry: Entry): Promise<Uint8Array>;
  readFloat32(entry: Entry): Promise<Float32Array>;
}

/**
 * `external`: the runtime maps the files; nothing is copied on disk, and 16-bit weights stay out of memory until used.
 * `embedded`: bytes copied into the model, at most 2 GiB in all. A quantized weight goes either way, in its two tensors.
 */
export type WeightWay = 'external' | 'embedded';

/** Dtypes that graphs decode by themselves; others are read as float32. */
const DECODED: Readonly<Record<string, DType>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

const LARGEST_EMBEDDED = 2 ** 31 - 2 ** 20;

/**
 * A plan for all tensors of `source` under the names that the graph gives its parameters.
 * Tensors that no file range can stand for (strided, or of a dtype that graphs do not decode) are embedded in either way.
 * @throws environment error where the embedded ones exceed what one model can hold.
 */
export async function planWeights<Entry extends StoredTensor>(
  source: StoredTensors<Entry>,
  way: WeightWay,
): Promise<WeightPlan> {
  const entries = [...source.tensors];
  const inPlace = (entry: Entry): boolean =>
    way === 'external' &&
    entry.strides === undefined &&
    (entry.quantized !== undefined || DECODED[entry.dtype] !== undefined);
  const bytesOf = ({ byteLength, quantized }: Entry): number => byteLength + (quantized?.scale.byteLength ?? 0);
  const copied = entries.reduce((n, [, entry]) => n + (inPlace(entry) ? 0 : bytesOf(entry)), 0);
  if (copied > LARGEST_EMBEDDED)
    throw new StepVideoError(
      'environment',
      'plan weights',
      `embedded weights must stay below ${LARGEST_EMBEDDED} bytes`,
      `${copied} in ${source.path}`,
      'weights in safetensors, which need no embedding',
    );
  // The runtime follows no link out of the folder that it is given.
  const files = new Map<string, string>();
  for (const [, { file }] of entries) if (!files.has(file)) files.set(file, await realpath(file));
  const stored = new Map<string, StoredWeight>();
  for (const [name, entry] of entries)
    stored.set(name, inPlace(entry) ? range(entry, files) : await embed(source, entry));
  return (name) => stored.get(name);
}

function range(entry: StoredTensor, files: ReadonlyMap<string, string>): StoredWeight {
  const { quantized } = entry;
  const at = ({ file, offset, byteLength }: StoredTensor, dtype: DType) =>
    ({ dtype, file: files.get(file) as string, offset, length: byteLength }) as const;
  if (quantized === undefined) return at(entry, DECODED[entry.dtype] as DType);
  return { form: quantized.form, packed: at(entry, 'uint8'), scale: at(quantized.scale, 'float32') };
}

async function embed<Entry extends StoredTensor>(source: StoredTensors<Entry>, entry: Entry): Promise<StoredWeight> {
  if (entry.quantized !== undefined) {
    const { form, scale } = entry.quantized;
    const packed = { dtype: 'uint8', bytes: await source.readTensor(entry) } as const;
    return { form, packed, scale: { dtype: 'float32', bytes: await source.readTensor(scale as Entry) } };
  }
  const dtype = DECODED[entry.dtype];
  if (dtype !== undefined) return { dtype, bytes: await source.readTensor(entry) };
  const data = await source.readFloat32(entry);
  return { dtype: 'float32', bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

/** The third way: tensors of `source` as float32 feeds for a graph compiled without a plan for them. All unless `names` says. */
export async function readFeeds<Entry extends StoredTensor>(
  source: StoredTensors<Entry>,
  names: Iterable<string> = source.tensors.keys(),
): Promise<Values> {
  const feeds: Record<string, Values[string]> = {};
  for (const name of names) {
    const entry = source.tensors.get(name);
    if (entry === undefined)
      throw new StepVideoError('checkpoint', 'read weights', `${source.path} must hold tensor ${name}`);
    feeds[name] = float32(await source.readFloat32(entry), entry.shape);
  }
  return feeds;
}
