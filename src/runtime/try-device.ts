/**
 * Can this machine compute on a device? Asked of a child process with a time limit, because a driver may crash or hang; and
 * where it cannot, what is missing and how to install it.
 */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { Device } from './device.ts';
import { type Remedy, remedyFor, surroundings } from './device-remedy.ts';
import { TRIAL_PROGRAM, type Trial } from './device-trial.ts';

export type DeviceReport =
  | { device: Device; works: true; seconds: number /** Whether it computes in float16 too. */; float16: boolean }
  | ({ device: Device; works: false; seconds: number; reason: string } & Remedy);

/** A software adapter compiles shaders on the CPU, which takes seconds; a driver that hangs takes for ever. */
const PATIENCE_MS = 60_000;

/** Opens a session on `device` in a process of its own. Never throws for a device that does not work. */
export async function tryDevice(device: Device, options: { patienceMs?: number } = {}): Promise<DeviceReport> {
  const started = performance.now();
  const trial = await runTrial(trialCommand(device), options.patienceMs ?? PATIENCE_MS);
  const seconds = (performance.now() - started) / 1000;
  if (trial.works) return { device, seconds, ...trial };
  return { device, seconds, ...trial, ...remedyFor(device, trial.reason, await surroundings()) };
}

/** Our own file as a program; TypeScript needs the loader that this process may have been started with. */
function trialCommand(device: Device): string[] {
  const loader = TRIAL_PROGRAM.endsWith('.ts')
    ? ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href]
    : [];
  return [...loader, TRIAL_PROGRAM, device];
}

/** The trial that `node` with `args` reports, or why it reports none. */
export function runTrial(args: readonly string[], patienceMs: number): Promise<Trial> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const failed = (reason: string): void => resolve({ works: false, reason });
    let out = '';
    let err = '';
    child.stdout.on('data', (data) => {
      out += data;
    });
    child.stderr.on('data', (data) => {
      err += data;
    });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, patienceMs);
    child.on('error', (error) => failed(error.message));
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (late) return failed(`no answer within ${patienceMs / 1000} s`);
      const line = out.trim().split('\n').at(-1) ?? '';
      if (line.startsWith('{')) return resolve(JSON.parse(line) as Trial);
      failed(`its process ended with ${signal ?? `code ${code}`}: ${err.trim().split('\n').at(-1) ?? ''}`);
    });
  });
}
