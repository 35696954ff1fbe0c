/**
 * One component of a checkpoint → its quantized files, shard by shard: each tensor is read once, some rows at a time, and a shard
 * gets its name only when it is whole. Does not know directories around the component, nor what a scheme's arithmetic is.
 */
import { createHash } from 'node:crypto';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkpointError, StepVideoError } from '../errors.ts';
import { type QuantizedForm, quantizedShapes, sameShape } from '../tensor/index.ts';
import { checkpointName, layoutStem } from './checkpoint.ts';
import { decodeFloat } from './float-codec.ts';
import {
  isQuantizedWeight,
  type QuantizationMetadata,
  type QuantizedComponent,
  quantizationMetadata,
  scaleName,
} from './quantization.ts';
import { firstNotFinite, type Int8Target, quantizeInt4, quantizeInt8 } from './quantize-rows.ts';
import { openSafetensors } from './safetensors.ts';
import { createSafetensors, type SafetensorsWriter, type TensorLayout } from './safetensors-writer.ts';
import { dtypeBytes, elementCount, type TensorEntry, type TensorSource } from './tensor-entry.ts';

/** Bytes of a shard unless told; as the official release cuts them. */
const SHARD_BYTES = 5e9;
/** Weights read and quantized at a time: 32 MB as float32. */
const WEIGHTS_AT_ONCE = 2 ** 23;

export type QuantizeOptions = {
  readonly component: QuantizedComponent;
  readonly source: TensorSource;
  readonly form: QuantizedForm;
  /** Bytes of one shard at most, unless a single tensor is larger. */
  readonly shardBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called as source bytes are done with. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
};

/** One tensor of the source, and what it becomes under the names of the official layout. */
type Item = { readonly entry: TensorEntry; readonly name: string; readonly parts: readonly TensorLayout[] };
type Shard = { readonly file: string; readonly items: readonly Item[] };

const bytesOf = ({ dtype, shape }: TensorLayout): number => dtypeBytes[dtype] * elementCount(shape);
const itemBytes = ({ parts }: Item): number => parts.reduce((n, part) => n + bytesOf(part), 0);

function itemOf(entry: TensorEntry, { component, form }: Pick<QuantizeOptions, 'component' | 'form'>): Item {
  const name = checkpointName(component, entry.name);
  if (!isQuantizedWeight(component, entry.name))
    return { entry, name, parts: [{ name, dtype: entry.dtype, shape: entry.shape }] };
  const { packed, scale } = quantizedShapes(form, entry.shape as readonly [number, number]);
  return {
    entry,
    name,
    parts: [
      { name, dtype: 'U8', shape: packed },
      { name: scaleName(name), dtype: 'F32', shape: scale },
    ],
  };
}

/** Bytes of tensors that quantizing `tensors` gives, headers left out. Needs names, types and shapes only. */
export const quantizedBytes = (
  tensors: Iterable<TensorEntry>,
  of: Pick<QuantizeOptions, 'component' | 'form'>,
): number => [...tensors].reduce((n, entry) => n + itemBytes(itemOf(entry, of)), 0);

/** Cuts the tensors, in the source's order, into shards of the official names; one file where one is enough. */
function planShards({ component, source, form, shardBytes = SHARD_BYTES }: QuantizeOptions): Shard[] {
  const groups: Item[][] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const entry of source.tensors.values()) {
    const item = itemOf(entry, { component, form });
    if (size + itemBytes(item) > shardBytes) {
      groups.push([]);
      size = 0;
    }
    groups.at(-1)!.push(item);
    size += itemBytes(item);
  }
  const stem = layoutStem(component);
  const five = (n: number): string => String(n).padStart(5, '0');
  return groups.map((items, i) => ({
    file: groups.length === 1 ? `${stem}.safetensors` : `${stem}-${five(i + 1)}-of-${five(groups.length)}.safetensors`,
    items,
  }));
}

/**
 * Writes the quantized component into `folder`, the index of several shards last. Shards that are there already, whole and made of
 * these very bytes, are kept. Returns how many were. Throws a checkpoint error for a weight that is not finite, an environment
 * error where the disk is full, an aborted error at the signal; finished shards then stay for the next call.
 */
export async function quantizeComponent(folder: string, options: QuantizeOptions): Promise<{ kept: number }> {
  const shards = planShards(options);
  await removeOthers(folder, shards);
  let kept = 0;
  for (const shard of shards)
    if (await isDone(folder, shard, options)) kept++;
    else await writeShard(folder, shard, options);
  if (shards.length > 1) {
    const parts = shards.flatMap(({ file, items }) =>
      items.flatMap(({ parts }) => parts.map((part) => ({ file, part }))),
    );
    const index = {
      metadata: { total_size: parts.reduce((n, { part }) => n + bytesOf(part), 0) },
      weight_map: Object.fromEntries(parts.map(({ file, part }) => [part.name, file])),
    };
    await writeFile(
      join(folder, `${layoutStem(options.component)}.safetensors.index.json`),
      `${JSON.stringify(index, null, 2)}\n`,
    );
  }
  return { kept };
}

/** Weights of an earlier call that cut the component in another way. */
async function removeOthers(folder: string, shards: readonly Shard[]): Promise<void> {
  for (const name of await readdir(folder))
    if (/\.safetensors(\.index\.json)?$/.test(name) && !shards.some(({ file }) => file === name))
      await rm(join(folder, name));
}

function metadataOf({ items }: Shard, { component, form }: QuantizeOptions, source: string): QuantizationMetadata {
  const columns: Record<string, number> = {};
  for (const { entry, name, parts } of items)
    if (form.scheme === 'int4' && parts.length > 1 && entry.shape[1]! % form.block !== 0)
      columns[name] = entry.shape[1]!;
  return quantizationMetadata(form, { component, source, columns });
}

/** Whether the shard is there, holds what it must, and was made from the bytes that the source has now. */
async function isDone(folder: string, shard: Shard, options: QuantizeOptions): Promise<boolean> {
  const there = await openSafetensors(join(folder, shard.file)).catch(() => undefined);
  if (there === undefined) return false;
  const layout = shard.items.flatMap(({ parts }) => parts);
  const fits = layout.every(({ name, dtype, shape }) => {
    const entry = there.tensors.get(name);
    return entry !== undefined && entry.dtype === dtype && sameShape(entry.shape, shape);
  });
  if (!fits || layout.length !== there.tensors.size) return false;
  const expected = metadataOf(shard, options, there.metadata.source_sha256 ?? '');
  if (JSON.stringify(expected) !== JSON.stringify(there.metadata)) return false;
  const hash = createHash('sha256');
  let done = 0;
  for (const item of shard.items) for await (const { bytes } of pieces(item, options, hash)) done += bytes.byteLength;
  if (hash.digest('hex') !== there.metadata.source_sha256) return false;
  options.onBytes?.(done);
  return true;
}

/** As long as a hash, until the bytes have been read. */
const UNKNOWN = '0'.repeat(64);

async function writeShard(folder: string, shard: Shard, options: QuantizeOptions): Promise<void> {
  const layout = shard.items.flatMap(({ parts }) => parts);
  const writer = await createSafetensors(join(folder, shard.file), layout, metadataOf(shard, options, UNKNOWN));
  const hash = createHash('sha256');
  try {
    for (const item of shard.items) await writeItem(writer, item, options, hash);
    await writer.finish(metadataOf(shard, options, hash.digest('hex')));
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

type Hash = ReturnType<typeof createHash>;

async function writeItem(writer: SafetensorsWriter, item: Item, options: QuantizeOptions, hash: Hash): Promise<void> {
  const { entry, name, parts } = item;
  const [rows, columns] = entry.shape as readonly [number, number];
  const isInt8 = parts.length > 1 && options.form.scheme === 'int8';
  const target: Int8Target | undefined = isInt8
    ? { packed: new Uint8Array(rows * columns), scale: new Float32Array(rows), total: rows }
    : undefined;
  let at = 0;
  let scaleAt = 0;
  for await (const { bytes, firstRow } of pieces(item, options, hash)) {
    options.onBytes?.(bytes.byteLength);
    if (parts.length === 1) {
      await writer.write(name, bytes, at);
      at += bytes.byteLength;
      continue;
    }
    const weights = decodeFloat(bytes, entry.dtype);
    const bad = firstNotFinite(weights);
    if (bad >= 0)
      throw checkpointError(`quantize ${entry.file}`, `weights of ${entry.name} must be finite`, weights[bad]);
    if (target !== undefined) quantizeInt8(weights, firstRow, columns, target);
    else if (options.form.scheme === 'int4') {
      const { packed, scale } = quantizeInt4(weights, weights.length / columns, columns, options.form.block);
      await writer.write(name, packed, at);
      await writer.write(scaleName(name), new Uint8Array(scale.buffer), scaleAt);
      at += packed.byteLength;
      scaleAt += scale.byteLength;
    }
  }
  if (target !== undefined) {
    await writer.write(name, target.packed);
    await writer.write(scaleName(name), new Uint8Array(target.scale.buffer));
  }
}

/** The tensor's bytes, whole rows at a time, each added to `hash`. */
async function* pieces({ entry, name }: Item, { source, signal }: QuantizeOptions, hash: Hash) {
  const { shape, dtype, byteLength, offset } = entry;
  hash.update(`${name} ${dtype} [${shape.join()}]\n`);
  const rows = entry.strides === undefined && byteLength > 0 ? (shape[0] ?? 1) : 1;
  const rowBytes = byteLength / rows;
  const step = Math.max(1, Math.floor(WEIGHTS_AT_ONCE / (rowBytes / dtypeBytes[dtype] || 1)));
  for (let firstRow = 0; firstRow < rows; firstRow += step) {
    if (signal?.aborted) throw new StepVideoError('aborted', 'quantize', 'stopped; the same command goes on from here');
    const count = Math.min(step, rows - firstRow);
    const piece = { ...entry, offset: offset + firstRow * rowBytes, byteLength: count * rowBytes };
    const bytes = await source.readTensor(piece);
    hash.update(bytes);
    yield { bytes, firstRow };
  }
}
