/** A folder of its own for each test file, and byte-level builders of broken weight files. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

/** Absolute path of recorded data. */
export const golden = (...parts: string[]): string => join(import.meta.dirname, '../golden/parity', ...parts);

/** A new folder, removed when the calling test file ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'step-video-weights-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Safetensors bytes from any header (text as is, else JSON) and data; nothing is checked. */
export function safetensorsBytes(header: unknown, data: Uint8Array, claimed?: bigint): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(claimed ?? BigInt(json.byteLength));
  return Buffer.concat([length, json, data]);
}

let count = 0;

/** Writes bytes to a new file of `folder` and returns its path. */
export function writeBytes(folder: string, bytes: Uint8Array, ending = '.safetensors'): string {
  const path = join(folder, `file-${count++}${ending}`);
  writeFileSync(path, bytes);
  return path;
}
