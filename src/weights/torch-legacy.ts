/**
 * The stream form of torch checkpoints (before torch 1.6): five pickles in a row, then each storage as an element count and its bytes.
 * Reads only as much of the head as the pickles need; storages are located for later.
 */
import type { FileHandle } from 'node:fs/promises';
import { readRange } from './file-range.ts';
import { PickleCutShort, type Unpickled, unpickle } from './pickle.ts';
import type { PickleValue } from './pickle-values.ts';
import { dtypeBytes } from './tensor-entry.ts';
import { type TorchLayout, torchError } from './torch-layout.ts';

const magic = 0x1950a86a20f9469cfc6cn;
const protocol = 1001;

/** Reads the pickles and finds every storage. `fileSize` in bytes; the storages must fill the rest of the file exactly. */
export async function readLegacyLayout(path: string, handle: FileHandle, fileSize: number): Promise<TorchLayout> {
  const { main, keys, end } = await readHead(path, handle, fileSize);
  const offsets = new Map<string, number>();
  let at = end;
  for (const key of keys) {
    const storage = main.storages.get(key);
    if (storage === undefined) throw torchError(path, 'every stored storage must be used', key);
    const count = await readRange(handle, at, 8);
    const elements = count.byteLength === 8 ? new DataView(count.buffer).getBigInt64(0, true) : undefined;
    const next = at + 8 + storage.length * dtypeBytes[storage.dtype];
    if (elements === undefined || next > fileSize)
      throw torchError(
        path,
        `storage ${key} ends at byte ${next}, which must lie in the file`,
        `${fileSize} bytes`,
        'downloading the file again; it was cut short',
      );
    if (elements !== BigInt(storage.length))
      throw torchError(path, `storage ${key} must have ${storage.length} elements`, elements);
    offsets.set(key, at + 8);
    at = next;
  }
  for (const key of main.storages.keys())
    if (!offsets.has(key)) throw torchError(path, `storage ${key} must be in the file`, 'no such storage');
  if (at !== fileSize)
    throw torchError(path, `the file must end at byte ${at}, after its last storage`, `${fileSize - at} bytes more`);
  return { root: main.value, offsets };
}

type Head = { main: Unpickled; keys: string[]; end: number };

/** The pickles' length is written nowhere: try with the head of the file, then with more. */
async function readHead(path: string, handle: FileHandle, fileSize: number): Promise<Head> {
  for (let length = Math.min(1 << 20, fileSize); ; length = Math.min(length * 4, fileSize)) {
    try {
      return parseHead(path, await readRange(handle, 0, length));
    } catch (error) {
      if (!(error instanceof PickleCutShort) || length === fileSize) throw error;
    }
  }
}

function parseHead(path: string, bytes: Uint8Array): Head {
  const op = `torch file ${path}`;
  const first = unpickle(op, bytes);
  if (first.value !== magic)
    throw torchError(
      path,
      'the stream must start with the magic number of torch.save',
      'another pickle',
      'a file written by torch.save',
    );
  const version = unpickle(op, bytes, first.end);
  if (version.value !== protocol)
    throw torchError(path, `the stream must be of version ${protocol}`, describe(version.value));
  const system = unpickle(op, bytes, version.end);
  if (!(system.value instanceof Map) || system.value.get('little_endian') !== true)
    throw torchError(
      path,
      'the file must be little-endian',
      'another byte order',
      'a file saved on a little-endian machine',
    );
  const main = unpickle(op, bytes, system.end);
  const list = unpickle(op, bytes, main.end);
  const keys = list.value;
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string') || new Set(keys).size !== keys.length)
    throw torchError(path, 'the list of storages must hold unique names', describe(keys));
  return { main, keys, end: list.end };
}

const describe = (value: PickleValue): string => (typeof value === 'object' ? 'another kind of value' : String(value));
