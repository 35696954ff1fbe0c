/**
 * A pull without a network: the snapshot that the cache holds, if it holds all that was asked for.
 */
import { readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { StepVideoError } from '../errors.ts';
import { type Environment, pulledSnapshot } from './cache-paths.ts';
import { type Hub, type HubFile, OP } from './hub.ts';
import { neededFiles } from './selection.ts';
import type { Snapshot, SnapshotOptions } from './snapshot.ts';

/** Whether the environment forbids Hugging Face's network, as its libraries read it. */
export const isOffline = (hub: Hub, env: Environment): boolean =>
  hub.name === 'huggingface' && /^(1|true|yes|on)$/i.test(env.HF_HUB_OFFLINE ?? '');

/** @throws environment error where nothing was pulled, input error naming the first file that is missing. */
export async function offlineSnapshot(hub: Hub, options: SnapshotOptions, env: Environment): Promise<Snapshot> {
  const { repository, only, revision = hub.defaultRevision } = options;
  const directory = revision === hub.defaultRevision ? pulledSnapshot(repository, env) : undefined;
  if (directory === undefined) {
    const rule = `${repository} must be pulled before HF_HUB_OFFLINE is set`;
    throw new StepVideoError('environment', OP, rule, 'nothing in the cache', 'unsetting HF_HUB_OFFLINE');
  }
  const files = neededFiles(`${repository} in ${directory}`, await filesBelow(directory), only);
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  return { directory, revision, files: files.length, bytes, fetched: 0 };
}

async function filesBelow(directory: string): Promise<HubFile[]> {
  const names = await readdir(directory, { recursive: true });
  const found = await Promise.all(
    names.map(async (name) => {
      const path = join(directory, name);
      const info = await stat(path).catch(() => undefined);
      return info?.isFile() ? [{ path: relative(directory, path).split(sep).join('/'), size: info.size }] : [];
    }),
  );
  return found.flat();
}
