/**
 * What text states depend on beside the text: the encoders' files and the machine. Files are told apart by place, size and time
 * of change, since hashing them would cost more than it saves.
 */
import { readdir, realpath, stat } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import path from 'node:path';
import type { Device } from './runtime/device.ts';
import { RUNTIME_VERSION } from './runtime/session.ts';

const ENCODER_FOLDERS = ['step_llm', 'hunyuan_clip'] as const;

/** Plain data, equal exactly where the encoders of model `directory` give the same bytes on the same tokens. */
export async function encoderIdentity(
  directory: string,
  { device, threads }: { device: Device; threads?: number | undefined },
): Promise<unknown> {
  const files = await Promise.all(
    ENCODER_FOLDERS.map(async (folder) => {
      const entries = await readdir(path.join(directory, folder), { recursive: true, withFileTypes: true });
      const names = entries
        .filter((entry) => !entry.isDirectory())
        .map((entry) => path.join(entry.parentPath, entry.name));
      return Promise.all(
        names.sort().map(async (name) => {
          const { size, mtimeMs } = await stat(name);
          return [await realpath(name), size, mtimeMs];
        }),
      );
    }),
  );
  const machine = [process.arch, cpus()[0]?.model, threads ?? availableParallelism()];
  return { files, machine, device, runtime: RUNTIME_VERSION };
}
