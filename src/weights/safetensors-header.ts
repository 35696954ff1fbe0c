/**
 * The header of a safetensors file: bytes → checked entries. Every lie about lengths is found here, before any data are read.
 * Does not open files: it is given the header's bytes and the file's size.
 */
import { checkpointError, type StepVideoError } from '../errors.ts';
import { duplicateKey } from './json-keys.ts';
import { dtypeBytes, elementCount, isDType, type TensorEntry } from './tensor-entry.ts';

/** The format's own limit. */
const largestHeader = 100_000_000;

const again = 'downloading or copying the file again';

export const headerError = (file: string, rule: string, got?: unknown, hint = again): StepVideoError =>
  checkpointError(`safetensors ${file}`, rule, got, hint);

export type SafetensorsHeader = {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
};

/** Length of the JSON header from the file's first 8 bytes; throws unless it fits in a file of `fileSize` bytes. */
export function headerLength(file: string, first8: Uint8Array, fileSize: number): number {
  if (first8.byteLength < 8)
    throw headerError(file, 'a file starts with 8 bytes that tell its header length', `${first8.byteLength} bytes`);
  const length = new DataView(first8.buffer, first8.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(largestHeader))
    throw headerError(
      file,
      `the header may be at most ${largestHeader} bytes`,
      length,
      'another file; this is hardly a safetensors one',
    );
  if (8 + Number(length) > fileSize)
    throw headerError(
      file,
      `the header claims ${length} bytes, which must fit in the file`,
      `${fileSize} bytes (file cut short or header length wrong)`,
    );
  return Number(length);
}

/** Parses and checks the JSON header. Data must be covered by tensors exactly: no gap, no overlap, nothing after the last. */
export function parseHeader(file: string, json: Uint8Array, fileSize: number): SafetensorsHeader {
  const dataStart = 8 + json.byteLength;
  const header = parseObject(file, json);
  const tensors = new Map<string, TensorEntry>();
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') metadata = parseMetadata(file, value);
    else tensors.set(name, parseEntry(file, name, value, dataStart));
  }
  checkCoverage(file, [...tensors.values()], dataStart, fileSize);
  return { tensors, metadata };
}

function parseObject(file: string, json: Uint8Array): object {
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(json);
    header = JSON.parse(text);
  } catch (error) {
    throw headerError(file, 'the header must be valid JSON', error instanceof Error ? error.message : error);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw headerError(file, 'the header must be a JSON object', header);
  const twice = duplicateKey(text);
  if (twice !== undefined)
    throw headerError(
      file,
      'every name in the header must be unique',
      `${twice} twice`,
      'writing the file again with unique names',
    );
  return header;
}

function parseMetadata(file: string, value: unknown): Record<string, string> {
  if (
    typeof value !== 'object' ||
    value === null ||
    Array.isArray(value) ||
    !Object.values(value).every((v) => typeof v === 'string')
  )
    throw headerError(file, '__metadata__ must map strings to strings', value);
  return value as Record<string, string>;
}

const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;

function parseEntry(file: string, name: string, value: unknown, dataStart: number): TensorEntry {
  const where = `tensor ${name}`;
  if (typeof value !== 'object' || value === null) throw headerError(file, `${where} must be an object`, value);
  const { dtype, shape, data_offsets: offsets } = value as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
  if (!isDType(dtype))
    throw headerError(
      file,
      `${where} must have a dtype of ${Object.keys(dtypeBytes).join(', ')}`,
      dtype,
      'converting the file to one of these',
    );
  if (!Array.isArray(shape) || !shape.every(isCount))
    throw headerError(file, `${where} must have a shape of whole numbers`, shape);
  if (
    !Array.isArray(offsets) ||
    offsets.length !== 2 ||
    !offsets.every(isCount) ||
    (offsets[0] as number) > (offsets[1] as number)
  )
    throw headerError(file, `${where} must have data_offsets [begin, end] with begin <= end`, offsets);
  const [begin, end] = offsets as [number, number];
  const byteLength = elementCount(shape) * dtypeBytes[dtype];
  if (end - begin !== byteLength)
    throw headerError(
      file,
      `${where}, ${dtype} [${shape.join(', ')}], must take ${byteLength} bytes`,
      `data_offsets of ${end - begin} bytes`,
    );
  return { name, dtype, shape, file, offset: dataStart + begin, byteLength };
}

function checkCoverage(file: string, entries: TensorEntry[], dataStart: number, fileSize: number): void {
  entries.sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = dataStart;
  let previous = 'the header';
  for (const { name, offset, byteLength } of entries) {
    if (offset < end)
      throw headerError(
        file,
        `tensor ${name} must start after ${previous} ends`,
        `an overlap of ${end - offset} bytes`,
      );
    if (offset > end)
      throw headerError(
        file,
        `tensor ${name} must follow ${previous} without a gap`,
        `${offset - end} bytes between them`,
      );
    end = offset + byteLength;
    if (end > fileSize)
      throw headerError(
        file,
        `tensor ${name} ends at byte ${end}, which must lie in the file`,
        `a file of ${fileSize} bytes (cut short?)`,
      );
    previous = `tensor ${name}`;
  }
  if (end < fileSize)
    throw headerError(file, `the file must end with ${previous} at byte ${end}`, `${fileSize - end} bytes more`);
}
