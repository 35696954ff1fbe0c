/**
 * Whether a file on the disk is what the hub says it is: by SHA-256, else by the name of its git blob, else by its size.
 * Reads it as a stream; does not know what is done about a difference.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { HubFile } from './hub.ts';

/** The strongest check that the hub's listing allows, and both sides of it. */
export type Verdict = { check: 'SHA-256' | 'git SHA-1' | 'size'; expected: string; found: string };

export const matches = ({ expected, found }: Verdict): boolean => expected === found;

/** Compares the file at `path` with `file`. */
export async function verify(path: string, file: HubFile, signal?: AbortSignal): Promise<Verdict> {
  const { size } = await stat(path);
  if (size !== file.size || (file.sha256 === undefined && file.gitSha1 === undefined)) {
    return { check: 'size', expected: `${file.size} bytes`, found: `${size} bytes` };
  }
  if (file.sha256 !== undefined) {
    return { check: 'SHA-256', expected: file.sha256, found: await digest(path, 'sha256', '', signal) };
  }
  // A git blob is hashed with its type and length in front.
  const found = await digest(path, 'sha1', `blob ${size}\0`, signal);
  return { check: 'git SHA-1', expected: file.gitSha1!, found };
}

async function digest(path: string, algorithm: string, before: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash(algorithm).update(before);
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash, signal ? { signal } : {});
  return hash.digest('hex');
}
