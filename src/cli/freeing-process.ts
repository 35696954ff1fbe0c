/**
 * Runs this program again, as a child that gives freed memory back, and lives as long as it does. For runs whose memory is bounded:
 * how an allocator behaves is settled before a process begins. Does not know what the program does.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { FREEING_ENVIRONMENT, freesMemory } from '../runtime/freed-memory.ts';

/** True for arguments that bound memory, in a process that would keep what it frees. */
export const needsFreeingProcess = (
  argv: readonly string[],
  { platform, env }: Pick<NodeJS.Process, 'platform' | 'env'>,
): boolean =>
  platform === 'linux' &&
  !freesMemory(env) &&
  argv.some((argument) => argument === '--memory' || argument.startsWith('--memory='));

/** The child's exit code. Ctrl-C reaches it from the terminal by itself; other signals are passed on; it ends when this process is gone. */
export async function runFreeing(argv: readonly string[]): Promise<number> {
  const env = { ...process.env, ...FREEING_ENVIRONMENT };
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...argv], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env,
  });
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return ended(child);
}

/** In such a child: `stop` when the parent is gone. */
export function onOrphaned(stop: () => void): void {
  if (process.channel === undefined) return;
  process.on('disconnect', stop);
  process.channel.unref();
}

const ended = (child: ChildProcess): Promise<number> =>
  new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? 128 + constants.signals[signal as NodeJS.Signals]));
  });
