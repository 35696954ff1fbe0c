/**
 * Whether a disk has room, asked before anything is fetched. Does not know what for.
 */
import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StepVideoError } from '../errors.ts';
import { OP } from './hub.ts';

/** @throws environment error where fewer than `needed` bytes are free on the disk of `folder`, which may not exist yet. */
export async function requireSpace(folder: string, needed: number): Promise<void> {
  const at = await nearestFolder(folder);
  const { bavail, bsize } = await statfs(at);
  const free = bavail * bsize;
  if (free >= needed) return;
  const rule = `the disk of ${folder} must have ${bytesInWords(needed)} free for what is missing`;
  const hint = '--only with fewer components, or a cache on another disk: HF_HOME, MODELSCOPE_CACHE';
  throw new StepVideoError('environment', OP, rule, bytesInWords(free), hint);
}

async function nearestFolder(folder: string): Promise<string> {
  const exists = await stat(folder).then(
    () => true,
    () => false,
  );
  return exists || dirname(folder) === folder ? folder : nearestFolder(dirname(folder));
}

/** Bytes as a person says them, in units of 1000. */
export function bytesInWords(bytes: number): string {
  if (bytes < 1e3) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}

/** What the system said while writing to `path`, as our error; errors of other kinds as they are. */
export function writingError(path: string, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof StepVideoError || code === undefined) return error;
  const hint = 'freeing disk space or fixing permissions, then the same command, which goes on from here';
  return new StepVideoError('environment', OP, `${path} must be writable`, message, hint, error);
}
