/**
 * What this machine can do: versions, processor, memory, disk, video backends, every device really tried, and a calibration
 * of about a second. Looks and measures; repairs nothing.
 */
import { readFile, statfs } from 'node:fs/promises';
import { cpus, freemem, totalmem } from 'node:os';
import path from 'node:path';
import { huggingfaceRoot } from '../hub/cache-paths.ts';
import { DEVICES } from '../runtime/device.ts';
import { RUNTIME_VERSION } from '../runtime/session.ts';
import { type DeviceReport, tryDevice } from '../runtime/try-device.ts';
import { BACKEND_NAMES, type BackendName, pickBackend } from '../video/backend.ts';
import { type Calibration, calibrate } from './calibration.ts';
import { type Estimate, estimateGeneration } from './generation-estimate.ts';

/** Sizes in bytes. */
export type Diagnosis = {
  node: string;
  onnxruntime: string;
  platform: string;
  cpu: {
    model: string;
    cores: number /** Undefined where the system does not tell. */;
    instructions: string[] | undefined;
  };
  /** `limit` is what the container or control group allows, where it is less than the machine has. */
  memory: { total: number; free: number; limit: number | undefined };
  disk: { path: string; free: number }[];
  video: { name: BackendName; works: boolean; reason?: string }[];
  devices: DeviceReport[];
  calibration: Calibration;
  /** The shipped model's default video; undefined where no model is shipped. */
  estimate: Estimate | undefined;
};

/** Looks at everything. Never throws for something that is missing; that is in the report. */
export async function diagnose(): Promise<Diagnosis> {
  const [processor] = cpus();
  // One after the other: two that compute at once would disturb each other's times.
  const devices: DeviceReport[] = [];
  for (const device of DEVICES) devices.push(await tryDevice(device));
  const calibration = await calibrate();
  return {
    node: process.version,
    onnxruntime: RUNTIME_VERSION,
    platform: `${process.platform}/${process.arch}`,
    cpu: { model: processor?.model.trim() ?? 'unknown', cores: cpus().length, instructions: await instructionSets() },
    memory: memory(),
    disk: await Promise.all([process.cwd(), huggingfaceRoot(process.env)].map(freeSpace)),
    video: await Promise.all(BACKEND_NAMES.map(tryBackend)),
    devices,
    calibration,
    estimate: await estimateGeneration(calibration.matmulFlops),
  };
}

/** Those that decide how fast matrices multiply, as Linux names them. */
const NOTABLE =
  /^(sse4_2|avx|avx2|fma|f16c|avx512f|avx512_vnni|avx512_bf16|avx_vnni|amx_\w+|asimd\w*|i8mm|bf16|sve\w*)$/;

/** Notable words of the first processor in the text of /proc/cpuinfo. */
export function notableInstructions(cpuinfo: string): string[] {
  const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo)?.[1] ?? '';
  return flags.split(/\s+/).filter((flag) => NOTABLE.test(flag));
}

async function instructionSets(): Promise<string[] | undefined> {
  const text = await readFile('/proc/cpuinfo', 'utf8').catch(() => undefined);
  return text === undefined ? undefined : notableInstructions(text);
}

function memory(): Diagnosis['memory'] {
  const total = totalmem();
  const limit = process.constrainedMemory();
  // Without a limit this is 0 or a number near 2^64.
  return { total, free: freemem(), limit: limit > 0 && limit < total ? limit : undefined };
}

/** Of the nearest folder that is there already. */
async function freeSpace(folder: string): Promise<{ path: string; free: number }> {
  for (let at = folder; ; at = path.dirname(at)) {
    const found = await statfs(at).catch(() => undefined);
    if (found !== undefined) return { path: folder, free: found.bavail * found.bsize };
    if (at === path.dirname(at)) return { path: folder, free: 0 };
  }
}

async function tryBackend(name: BackendName): Promise<Diagnosis['video'][number]> {
  return pickBackend(name).then(
    () => ({ name, works: true }),
    (error: Error) => ({ name, works: false, reason: error.message }),
  );
}
