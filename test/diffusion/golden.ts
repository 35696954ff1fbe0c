/**
 * Reads the recorded scheduler vectors for the tests of this folder: a 15-line safetensors reader of its own, so that
 * these tests depend on nothing but the functions under test.
 */
import { readFileSync } from 'node:fs';

/** All float32 tensors of one safetensors file, by name. */
export function readFloats(url: URL): Map<string, Float32Array> {
  const file = readFileSync(url);
  const start = 8 + Number(file.readBigUInt64LE(0));
  const header: Record<string, { data_offsets?: [number, number] }> = JSON.parse(file.toString('utf8', 8, start));
  const tensors = new Map<string, Float32Array>();
  for (const [name, entry] of Object.entries(header)) {
    if (!entry.data_offsets) continue;
    const [from, to] = entry.data_offsets;
    tensors.set(name, new Float32Array(new Uint8Array(file.subarray(start + from, start + to)).buffer));
  }
  return tensors;
}

export const scheduler = readFloats(new URL('../golden/parity/scheduler.safetensors', import.meta.url));
