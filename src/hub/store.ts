/**
 * Where the files of one snapshot lie in a hub's cache: while they come, once their hash is checked, and at last
 * together under the snapshot's own name. Knows both layouts; downloads nothing.
 */
import { randomUUID } from 'node:crypto';
import { copyFile, link, mkdir, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { type Environment, huggingfaceFolder, MOVING, modelscopeFolders, PARTS } from './cache-paths.ts';
import type { HubFile, Listing } from './hub.ts';
import { matches, verify } from './verify.ts';

export type Store = {
  /** The snapshot: a checkpoint directory once `publish` is through. */
  readonly directory: string;
  /** Some folder on the disk that everything goes to. It may not exist yet. */
  readonly folder: string;
  /** Where `file` lies, checked, until it is published. Parts and locks are beside it. */
  checked(file: HubFile): string;
  /** Whether `file` is there already, checked or published. `onHash` hears when that takes reading the whole of it. */
  has(file: HubFile, look?: { signal: AbortSignal; onHash(): void }): Promise<boolean>;
  /** Shows `files`, all checked, and `texts` (path → content) under the snapshot, then makes the revision point at it. */
  publish(files: readonly HubFile[], texts: ReadonlyMap<string, string>): Promise<void>;
};

/** Content of a file by name: the same name is the same content. */
export const contentId = ({ path, size, sha256, gitSha1 }: HubFile): string =>
  sha256 ?? gitSha1 ?? `${path.replaceAll('/', '--')}-${size}`;

/** Layout of Hugging Face: contents by hash, links to them from each snapshot, the branch as a file that names a commit. */
export function huggingfaceStore(env: Environment, repository: string, { revision, commit }: Listing): Store {
  const folder = huggingfaceFolder(env, repository);
  const directory = join(folder, 'snapshots', commit);
  const checked = (file: HubFile): string => join(folder, 'blobs', contentId(file));
  return {
    directory,
    folder,
    checked,
    has: (file) => hasSize(checked(file), file.size),
    async publish(files, texts) {
      for (const file of files) await showLink(checked(file), join(directory, file.path));
      for (const [path, text] of texts) await replaceText(join(directory, path), text);
      if (revision !== commit) await replaceText(join(folder, 'refs', revision), commit);
    },
  };
}

/** Layout of ModelScope: the files themselves, under the revision that was asked for. */
export function modelscopeStore(env: Environment, repository: string, { revision }: Listing): Store {
  const { folder, snapshot } = modelscopeFolders(env, repository, revision);
  const parts = join(folder, PARTS);
  const checked = (file: HubFile): string => join(parts, contentId(file));
  const final = (file: HubFile): string => join(snapshot, file.path);
  return {
    directory: snapshot,
    folder,
    checked,
    async has(file, look) {
      if (file.sha256 === undefined) return false; // could be another version of itself
      if (await hasSize(checked(file), file.size)) return true;
      // Only its content tells which version of the branch a published file is of.
      if (!(await hasSize(final(file), file.size))) return false;
      look?.onHash();
      return matches(await verify(final(file), file, look?.signal));
    },
    async publish(files, texts) {
      await replaceText(join(parts, MOVING), '');
      for (const file of files) {
        if (!(await hasSize(checked(file), file.size))) continue; // published before
        await mkdir(dirname(final(file)), { recursive: true });
        await rename(checked(file), final(file)).catch(async (error) => {
          // Another process may be publishing the same files.
          if (!(await hasSize(final(file), file.size))) throw error;
        });
      }
      for (const [path, text] of texts) await replaceText(join(snapshot, path), text);
      await rm(join(parts, MOVING), { force: true });
    },
  };
}

const hasSize = (path: string, size: number): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile() && found.size === size,
    () => false,
  );

/** Writes a small file so that a reader finds the old or the new one. */
async function replaceText(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const fresh = `${path}.${randomUUID()}.tmp`;
  await writeFile(fresh, text);
  await rename(fresh, path);
}

/** A relative link at `path` to `target`; a second name or a copy where the system refuses links, as Windows may. */
async function showLink(target: string, path: string): Promise<void> {
  const to = relative(dirname(path), target);
  if ((await readlink(path).catch(() => undefined)) === to) return;
  await mkdir(dirname(path), { recursive: true });
  const fresh = `${path}.${randomUUID()}.tmp`;
  await symlink(to, fresh)
    .catch(() => link(target, fresh))
    .catch(() => copyFile(target, fresh));
  await rename(fresh, path);
}
