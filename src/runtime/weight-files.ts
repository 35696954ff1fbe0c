/**
 * Weight files behind sessions that map them: read ahead of their use, and watched, since a mapped file that somebody cuts or
 * rewrites would give other numbers, or none, without a word.
 * Knows byte ranges; does not know tensors or graphs.
 */
import { statSync } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { checkpointError } from '../errors.ts';

export type ByteRange = { readonly file: string; readonly offset: number; readonly length: number };

export interface WeightFiles {
  /**
   * Reads `ranges` so that they lie in the system's page cache. Every read is under way when this returns, on the threads
   * that serve files, so reading goes on while a network holds this one.
   * @throws checkpoint error where a file ends too early.
   */
  readAhead(ranges: readonly ByteRange[]): Promise<void>;
  /** @throws checkpoint error that names the file which is not the one that was opened, or no longer has the size or time that it had. */
  check(): void;
  close(): Promise<void>;
}

/** What is read goes here and is forgotten: the page cache is what remains. */
const SCRATCH_BYTES = 1 << 20;
/** Buffers of one system call; each stands for the same scratch memory. */
const BUFFERS = 1024;

/** Opens `paths` and notes what they are now. */
export async function openWeightFiles(paths: readonly string[]): Promise<WeightFiles> {
  const scratch = new Uint8Array(SCRATCH_BYTES);
  const handles = new Map<string, FileHandle>();
  const known = new Map<string, string>();
  const close = async (): Promise<void> => {
    const all = [...handles.values()];
    handles.clear();
    await Promise.all(all.map((handle) => handle.close()));
  };
  try {
    for (const path of new Set(await Promise.all(paths.map((path) => realpath(path))))) {
      handles.set(path, await open(path, 'r'));
      known.set(path, stateOf(path));
    }
  } catch (error) {
    await close();
    throw error;
  }
  const read = async ({ file, offset, length }: ByteRange): Promise<void> => {
    const handle = handles.get(file) ?? (await open(file, 'r'));
    handles.set(file, handle);
    const whole = Math.floor(length / SCRATCH_BYTES);
    const buffers = new Array<Uint8Array>(whole).fill(scratch);
    if (length > whole * SCRATCH_BYTES) buffers.push(scratch.subarray(0, length - whole * SCRATCH_BYTES));
    const { bytesRead } = await handle.readv(buffers, offset);
    if (bytesRead < length)
      throw changed(file, `bytes ${offset} to ${offset + length} must be there`, `its end at ${offset + bytesRead}`);
  };
  return {
    async readAhead(ranges) {
      await Promise.all(joined(ranges).map(read));
    },
    check() {
      for (const [path, state] of known) {
        const now = stateOf(path);
        if (now !== state) throw changed(path, `the file must stay as it was opened, ${state}`, now);
      }
    },
    close,
  };
}

const changed = (file: string, rule: string, got: string): Error =>
  checkpointError(
    `weights ${file}`,
    rule,
    got,
    'leaving a checkpoint alone while it runs, or downloading the file again',
  );

/** Size, time of the last change and number of the file that `path` names now. */
function stateOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? 'nothing there' : `${stat.size} bytes of ${stat.mtime.toISOString()} (${stat.ino})`;
}

/** Neighbouring ranges as one, none longer than one system call reads. */
function joined(ranges: readonly ByteRange[]): ByteRange[] {
  const sorted = [...ranges].sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.offset - b.offset));
  const out: ByteRange[] = [];
  for (const range of sorted) {
    const last = out.at(-1);
    if (last !== undefined && last.file === range.file && last.offset + last.length === range.offset)
      out[out.length - 1] = { ...last, length: last.length + range.length };
    else out.push(range);
  }
  return out.flatMap(pieces);
}

function pieces({ file, offset, length }: ByteRange): ByteRange[] {
  const largest = SCRATCH_BYTES * BUFFERS;
  return Array.from({ length: Math.ceil(length / largest) }, (_, i) => ({
    file,
    offset: offset + i * largest,
    length: Math.min(largest, length - i * largest),
  }));
}
