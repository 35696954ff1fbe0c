/**
 * Where each hub's own library keeps pulled repositories, by the environment, and which of them holds a model already.
 * Looks at the disk, never at the network; does not look into a snapshot.
 *
 *   Hugging Face   ROOT/models--OWNER--NAME/{blobs/HASH, refs/REVISION, snapshots/COMMIT/PATH → blobs}
 *   ModelScope     ROOT/models/OWNER--NAME/snapshots/REVISION/PATH, or where that exists from an older version
 *                  ROOT/{,hub/}models/OWNER/NAME/PATH with each dot of NAME as ___
 */
import { readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { isRepositoryName } from './hub.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export const HUGGINGFACE_REVISION = 'main';
export const MODELSCOPE_REVISION = 'master';

/** A path of the environment, `~` spelled out. */
const expand = (path: string): string => resolve(path.replace(/^~(?=$|[\\/])/, homedir()));

/** HF_HOME or where it is by default: holds the token and the cache. */
export const huggingfaceHome = (env: Environment): string =>
  expand(env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface'));

/** Root of Hugging Face's cache of repositories. */
export const huggingfaceRoot = (env: Environment): string =>
  expand(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(huggingfaceHome(env), 'hub'));

/** Root of ModelScope's cache. */
export const modelscopeRoot = (env: Environment): string =>
  expand(env.MODELSCOPE_CACHE || join(homedir(), '.cache', 'modelscope'));

/** Folder of `owner/name` in Hugging Face's cache. */
export const huggingfaceFolder = (env: Environment, repository: string): string =>
  join(huggingfaceRoot(env), `models--${repository.replace('/', '--')}`);

/** Folder of `owner/name` in ModelScope's cache, and the folder in it where files lie. */
export function modelscopeFolders(
  env: Environment,
  repository: string,
  revision: string,
): { folder: string; snapshot: string } {
  const root = modelscopeRoot(env);
  const [owner, name] = repository.split('/') as [string, string];
  const older = [join(root, 'models'), join(root, 'hub', 'models')].map((at) =>
    join(at, owner, name.replaceAll('.', '___')),
  );
  const used = older.find((folder) => filesIn(folder) > 0);
  if (used !== undefined) return { folder: used, snapshot: used };
  const folder = join(root, 'models', `${owner}--${name}`);
  return { folder, snapshot: join(folder, 'snapshots', revision) };
}

/** Lies in a ModelScope folder while pulled files move to their places, one by one. */
export const MOVING = '.moving';

/** Folder beside ModelScope's files for those that are not whole. */
export const PARTS = '.parts';

/**
 * The snapshot of `owner/name` that either cache holds for the hub's main branch, Hugging Face's first; undefined where
 * none does, or `name` is no repository's.
 */
export function pulledSnapshot(name: string, env: Environment = process.env): string | undefined {
  if (!isRepositoryName(name)) return undefined;
  const folder = huggingfaceFolder(env, name);
  const commit = textOf(join(folder, 'refs', HUGGINGFACE_REVISION));
  const snapshots = commit === undefined ? [] : [join(folder, 'snapshots', commit)];
  const scope = modelscopeFolders(env, name, MODELSCOPE_REVISION);
  if (textOf(join(scope.folder, PARTS, MOVING)) === undefined) snapshots.push(scope.snapshot);
  return snapshots.find((snapshot) => filesIn(snapshot) > 0);
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** Entries of a folder that are not hidden; 0 where there is no folder, or none that can be read. */
function filesIn(folder: string): number {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith('.')).length;
  } catch {
    return 0;
  }
}
