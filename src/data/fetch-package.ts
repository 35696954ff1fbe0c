/**
 * One pinned npm package → a verified tarball in the cache → chosen files in memory.
 * Knows the registry's address scheme and hashes; does not know what the files mean.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { list } from 'tar';
import { StepVideoError } from '../errors.ts';
import type { PinnedPackage } from './packages.ts';

/** `directory` holds the tarballs; `registry` overrides the configured one; `onBytes` hears of a download's progress. */
export type FetchPackageOptions = {
  directory: string;
  registry?: string;
  signal?: AbortSignal;
  onBytes?: (received: number, total: number | undefined) => void;
};

const OP = 'data build';

/** The registry npm would use: `npm_config_registry`, npm's own configuration, or the public one. No trailing slash. */
export async function registryUrl(): Promise<string> {
  const fromEnvironment = process.env.npm_config_registry;
  if (fromEnvironment) return fromEnvironment.replace(/\/+$/, '');
  try {
    const { stdout } = await promisify(execFile)('npm', ['config', 'get', 'registry'], { timeout: 20_000 });
    if (/^https?:\/\//.test(stdout.trim())) return stdout.trim().replace(/\/+$/, '');
  } catch {
    // npm itself is optional here: the public registry is what it would answer by default.
  }
  return 'https://registry.npmjs.org';
}

/** File name of a package's tarball in the cache, e.g. `fluent-emoji-anim-1-1.0.0.tgz`. */
export const tarballName = ({ name, version }: PinnedPackage): string => `${basename(name)}-${version}.tgz`;

/**
 * Path of the package's tarball, downloaded unless a verified copy is in the cache.
 * @throws StepVideoError `data` when the hash differs (names package, expected and got) or the download fails;
 *   `aborted` when the signal fires. A failed download leaves nothing behind.
 */
export async function fetchPackage(pinned: PinnedPackage, options: FetchPackageOptions): Promise<string> {
  const path = join(options.directory, tarballName(pinned));
  if (await exists(path)) {
    await requireIntegrity(pinned, await integrityOf(path, options.signal), path);
    return path;
  }
  await mkdir(options.directory, { recursive: true });
  const url = `${options.registry ?? (await registryUrl())}/${pinned.name}/-/${tarballName(pinned)}`;
  const partial = `${path}.part`;
  try {
    await download(url, partial, options);
    await requireIntegrity(pinned, await integrityOf(partial, options.signal));
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
  return path;
}

/**
 * Contents of the files of a tarball that `paths` names (as stored, e.g. `package/assets/1f34e.webp`).
 * @throws StepVideoError `data` naming the first path that the tarball lacks.
 */
export async function readTarball(tarball: string, paths: ReadonlySet<string>): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  await list({
    file: tarball,
    filter: (path) => paths.has(path),
    onReadEntry: (entry) => {
      const chunks: Buffer[] = [];
      entry.on('data', (chunk: Buffer) => chunks.push(chunk));
      entry.on('end', () => found.set(entry.path, Buffer.concat(chunks)));
    },
  });
  for (const path of paths) {
    if (!found.has(path)) throw new StepVideoError('data', OP, `${basename(tarball)} must hold ${path}`);
  }
  return found;
}

async function download(url: string, path: string, { signal, onBytes }: FetchPackageOptions): Promise<void> {
  try {
    const response = await fetch(url, signal ? { signal } : {});
    if (!response.ok || response.body === null) {
      throw new StepVideoError('data', OP, `${url} must be downloadable`, `HTTP status ${response.status}`);
    }
    const total = Number(response.headers.get('content-length')) || undefined;
    let received = 0;
    const count = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        received += chunk.length;
        onBytes?.(received, total);
        done(null, chunk);
      },
    });
    await pipeline(
      Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]),
      count,
      createWriteStream(path),
    );
  } catch (error) {
    if (error instanceof StepVideoError) throw error;
    if (signal?.aborted) throw new StepVideoError('aborted', OP, 'stopped while downloading', url);
    const reason =
      error instanceof Error ? ((error.cause as Error | undefined)?.message ?? error.message) : String(error);
    const hint = 'checking the network, or npm_config_registry';
    throw new StepVideoError('data', OP, `${url} must be downloadable`, reason, hint, error);
  }
}

async function integrityOf(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha512');
  await pipeline(createReadStream(path), hash, signal ? { signal } : {});
  return `sha512-${hash.digest('base64')}`;
}

async function requireIntegrity(pinned: PinnedPackage, got: string, cached?: string): Promise<void> {
  if (got === pinned.integrity) return;
  const rule = `package ${pinned.name}@${pinned.version} must have the hash ${pinned.integrity}`;
  throw new StepVideoError(
    'data',
    OP,
    rule,
    got,
    cached ? `deleting ${cached} and building again` : 'another registry',
  );
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
