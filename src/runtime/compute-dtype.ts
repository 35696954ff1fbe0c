/**
 * The dtype that matrix products of inference run in, by what a device has hardware for. CPU and WebGPU compute in float32;
 * an NVIDIA device says its compute capability through its driver's `nvidia-smi`.
 *
 * Source: CUDA programming guide, features by compute capability. Never run on a GPU by this project.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Device } from './device.ts';

export type ComputeDtype = 'float32' | 'float16' | 'bfloat16';

/** From 8.0 (Ampere) matrix units take bfloat16, which has the range of the official weights; from 7.0 (Volta) float16. */
export function dtypeOfCapability(capability: number | undefined): ComputeDtype {
  if (capability === undefined || !(capability >= 7)) return 'float32';
  return capability >= 8 ? 'bfloat16' : 'float16';
}

/** What `nvidia-smi` prints, a line a device → the least of their capabilities, or undefined where none is said. */
export function parseCapabilities(text: string): number | undefined {
  const numbers = [...text.matchAll(/^\s*(\d+\.\d+)\s*$/gm)].map(([, number]) => Number(number));
  return numbers.length === 0 ? undefined : Math.min(...numbers);
}

const QUERY = ['--query-gpu=compute_cap', '--format=csv,noheader'];
const PATIENCE_MS = 10_000;
let asked: Promise<number | undefined> | undefined;

/** Compute capability of the NVIDIA devices here, asked once a process; undefined where the driver's program is missing. */
function cudaCapability(): Promise<number | undefined> {
  asked ??= promisify(execFile)('nvidia-smi', QUERY, { timeout: PATIENCE_MS }).then(
    ({ stdout }) => parseCapabilities(stdout),
    () => undefined,
  );
  return asked;
}

export async function inferenceDtype(device: Device): Promise<ComputeDtype> {
  return device === 'cuda' ? dtypeOfCapability(await cudaCapability()) : 'float32';
}
