/**
 * A file that is not whole yet: `NAME.part` with bytes at their final places, and `NAME.part.json` saying which of them
 * are there. Survives a kill at any moment; no reader takes the name for a finished file. Does not know where bytes
 * come from.
 */
import { type FileHandle, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { addInterval, type Interval, isIntervalSet, lengthOf, missingIntervals } from './intervals.ts';

/** What the whole file will be. `id` tells contents apart: a hash, or what else the hub names them by. */
export type PartKey = { readonly id: string; readonly size: number };

export type PartFile = {
  readonly path: string;
  /** Bytes that are there. */
  received(): number;
  missing(): Interval[];
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Counts all bytes as absent again. */
  forget(): void;
  /** Puts bytes, then the record of them, on the disk, and closes. */
  close(): Promise<void>;
};

/** At most this much of a transfer, in milliseconds, is fetched again after a kill. */
const SAVE_EVERY = 1000;

const stateSchema = z.object({ id: z.string(), size: z.number(), done: z.unknown() });

const statePath = (path: string): string => `${path}.json`;

/** Bytes of `key` that are in the part file at `path`; empty where it is missing or of another content. */
export async function partDone(path: string, key: PartKey): Promise<Interval[]> {
  const size = await stat(path).then(
    (found) => found.size,
    () => -1,
  );
  if (size !== key.size) return [];
  try {
    const { id, size: of, done } = stateSchema.parse(JSON.parse(await readFile(statePath(path), 'utf8')));
    return id === key.id && of === key.size && isIntervalSet(done, key.size) ? done : [];
  } catch {
    // Unreadable is as good as absent: its bytes are fetched again.
    return [];
  }
}

/** Opens the part file at `path`, going on where it was left if it is one of `key`. */
export async function openPart(path: string, key: PartKey): Promise<PartFile> {
  let done = await partDone(path, key);
  if (done.length === 0) await removePart(path);
  const file: FileHandle = await open(path, done.length === 0 ? 'w+' : 'r+');
  await file.truncate(key.size);
  let saving: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let failure: unknown;
  const write = async (): Promise<void> => {
    // The record first, the sync second: bytes that arrive meanwhile are not in the record.
    const state = JSON.stringify({ ...key, done });
    await file.datasync();
    const fresh = `${statePath(path)}.tmp`;
    await writeFile(fresh, state);
    await rename(fresh, statePath(path));
  };
  const save = (): Promise<void> => {
    saving ??= write().finally(() => {
      saving = undefined;
    });
    return saving;
  };
  return {
    path,
    received: () => lengthOf(done),
    missing: () => missingIntervals(done, key.size),
    async write(bytes, position) {
      if (failure !== undefined) throw failure;
      for (let at = 0; at < bytes.length; ) {
        at += (await file.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
      }
      done = addInterval(done, [position, position + bytes.length]);
      timer ??= setTimeout(() => {
        timer = undefined;
        save().catch((error) => {
          failure = error;
        });
      }, SAVE_EVERY);
    },
    forget() {
      done = [];
    },
    async close() {
      clearTimeout(timer);
      try {
        await saving;
        await save();
      } finally {
        await file.close();
      }
    },
  };
}

/** Removes the part file at `path` and its record. */
export async function removePart(path: string): Promise<void> {
  await rm(statePath(path), { force: true });
  await rm(path, { force: true });
}

/** Moves a part file that is whole to its final name. */
export async function finishPart(path: string, final: string): Promise<void> {
  await rename(path, final);
  await rm(statePath(path), { force: true });
}
