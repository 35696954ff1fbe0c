/**
 * The zip form of torch checkpoints (torch 1.6 and later): `NAME/data.pkl` and one stored entry `NAME/data/KEY` for each storage.
 * Only directory entries and the pickle are read; storages are located for later.
 */
import type { FileHandle } from 'node:fs/promises';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { StepVideoError } from '../errors.ts';
import { readRange } from './file-range.ts';
import { PickleCutShort, unpickle } from './pickle.ts';
import { dtypeBytes } from './tensor-entry.ts';
import { type TorchLayout, torchError } from './torch-layout.ts';

/** Reads the pickle and finds every storage that it names. `fileSize` in bytes. */
export async function readZipLayout(path: string, handle: FileHandle, fileSize: number): Promise<TorchLayout> {
  let zip: ZipFile | undefined;
  try {
    zip = await openPromise(path, { autoClose: false });
    return await readArchive(path, { zip, handle, fileSize });
  } catch (error) {
    if (error instanceof StepVideoError || error instanceof PickleCutShort) throw error;
    // Anything else is the archive's reader speaking.
    throw torchError(
      path,
      'the zip archive must be whole',
      error instanceof Error ? error.message : error,
      'downloading the file again; it was cut short or damaged',
    );
  } finally {
    zip?.close();
  }
}

type Archive = { readonly zip: ZipFile; readonly handle: FileHandle; readonly fileSize: number };

async function readArchive(path: string, { zip, handle, fileSize }: Archive): Promise<TorchLayout> {
  const entries = await listEntries(path, zip);
  const locate = async (name: string): Promise<{ offset: number; length: number }> => {
    const entry = entries.get(name);
    if (entry === undefined) throw torchError(path, `the archive must hold ${name}`, 'no such entry');
    if (entry.compressionMethod !== 0 || (entry.generalPurposeBitFlag & 1) !== 0)
      throw torchError(
        path,
        `entry ${name} must be stored as it is`,
        'a compressed or encrypted one',
        'a file written by torch.save',
      );
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
    if (fileDataStart + entry.uncompressedSize > fileSize)
      throw torchError(
        path,
        `entry ${name} must lie in the file`,
        `${entry.uncompressedSize} bytes at ${fileDataStart} of ${fileSize}`,
      );
    return { offset: fileDataStart, length: entry.uncompressedSize };
  };

  const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1)
    throw torchError(path, 'the archive must hold one NAME/data.pkl', `${pickles.length} of them`);
  const pickleName = pickles[0] as string;
  const folder = pickleName.slice(0, -'data.pkl'.length);
  if (entries.has(`${folder}byteorder`)) {
    const { offset, length } = await locate(`${folder}byteorder`);
    const order = Buffer.from(await readRange(handle, offset, length)).toString('latin1');
    if (order !== 'little')
      throw torchError(path, 'the file must be little-endian', order, 'a file saved on a little-endian machine');
  }
  const { offset, length } = await locate(pickleName);
  const { value, storages } = unpickle(`torch file ${path}`, await readRange(handle, offset, length));

  const offsets = new Map<string, number>();
  for (const storage of storages.values()) {
    const found = await locate(`${folder}data/${storage.key}`);
    const bytes = storage.length * dtypeBytes[storage.dtype];
    if (found.length !== bytes) throw torchError(path, `storage ${storage.key} must take ${bytes} bytes`, found.length);
    offsets.set(storage.key, found.offset);
  }
  return { root: value, offsets };
}

async function listEntries(path: string, zip: ZipFile): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  for await (const entry of zip.eachEntry()) {
    if (entries.has(entry.fileName))
      throw torchError(path, 'every entry of the archive must be unique', `${entry.fileName} twice`);
    entries.set(entry.fileName, entry);
  }
  return entries;
}
