/**
 * A checkpoint cut into shards: `NAME.index.json` says which safetensors file of the folder holds which tensor.
 * Opens all shards' headers at once; does not know what the tensors mean.
 */
import { access, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { checkpointError } from '../errors.ts';
import { missingFileError } from './file-errors.ts';
import { duplicateKey } from './json-keys.ts';
import { joinQuantized } from './quantization.ts';
import { openSafetensors } from './safetensors.ts';
import { createTensorSource, type TensorEntry, type TensorSource } from './tensor-entry.ts';

/** A sharded checkpoint; `files` are the shards' paths, sorted. */
export type ShardedSafetensors = TensorSource & {
  readonly files: readonly string[];
  /** What the shards' metadata say alike. */
  readonly metadata: Readonly<Record<string, string>>;
};

/**
 * Opens every shard that `dir/indexName` names and checks both ways: each tensor of the index is in its shard, and no shard
 * holds another. Throws a checkpoint error that names the index or the shard, and the tensor.
 */
export async function openShardedSafetensors(dir: string, indexName: string): Promise<ShardedSafetensors> {
  const indexPath = join(dir, indexName);
  const weightMap = await readIndex(indexPath);
  const namesByShard = new Map<string, Set<string>>();
  for (const [name, shard] of weightMap) {
    const names = namesByShard.get(shard);
    if (names === undefined) namesByShard.set(shard, new Set([name]));
    else names.add(name);
  }
  const shards = [...namesByShard.keys()].sort();
  const files = shards.map((shard) => join(dir, shard));
  const tensors = new Map<string, TensorEntry>();
  let common: Readonly<Record<string, string>> | undefined;
  for (const shard of shards) {
    const names = namesByShard.get(shard) as Set<string>;
    const { entries, metadata } = await openShard(indexPath, dir, shard, names);
    for (const [name, entry] of entries) tensors.set(name, entry);
    common = Object.fromEntries(Object.entries(common ?? metadata).filter(([key, value]) => metadata[key] === value));
  }
  return { ...createTensorSource(indexPath, tensors), files, metadata: common ?? {} };
}

async function openShard(
  indexPath: string,
  dir: string,
  shard: string,
  names: ReadonlySet<string>,
): Promise<{ entries: ReadonlyMap<string, TensorEntry>; metadata: Readonly<Record<string, string>> }> {
  const path = join(dir, shard);
  await access(path).catch(() => {
    throw checkpointError(
      `index ${indexPath}`,
      `shard ${shard} must lie beside it`,
      'nothing there',
      `downloading ${shard} into ${dir}`,
    );
  });
  const { tensors, metadata } = await openSafetensors(path);
  const lacking = [...names].filter((name) => !tensors.has(name));
  if (lacking.length > 0)
    throw checkpointError(
      `shard ${path}`,
      `tensor ${lacking[0]} is named by ${basename(indexPath)} and must be in it`,
      `${lacking.length} such tensors missing`,
      'downloading the index and the shard again, from one release',
    );
  const extra = [...tensors.keys()].filter((name) => !names.has(name));
  if (extra.length > 0)
    throw checkpointError(
      `shard ${path}`,
      `tensor ${extra[0]} must be assigned to it by ${basename(indexPath)}`,
      `${extra.length} tensors that the index does not place there`,
      'downloading the index and the shard again, from one release',
    );
  return { entries: joinQuantized(path, tensors, metadata), metadata };
}

async function readIndex(path: string): Promise<Map<string, string>> {
  const op = `index ${path}`;
  const text = await readFile(path, 'utf8').catch((error) => {
    throw missingFileError('index', path, error);
  });
  let index: unknown;
  try {
    index = JSON.parse(text);
  } catch (error) {
    throw checkpointError(op, 'the index must be valid JSON', (error as Error).message, 'downloading it again');
  }
  const twice = duplicateKey(text);
  if (twice !== undefined)
    throw checkpointError(op, 'every name in the index must be unique', `${twice} twice`, 'downloading it again');
  const map = (index as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== 'object' || map === null || Array.isArray(map) || Object.keys(map).length === 0)
    throw checkpointError(
      op,
      'the index must have a weight_map from tensor names to shard files',
      map,
      'downloading it again',
    );
  for (const [name, shard] of Object.entries(map)) {
    // A shard is a plain file name: an index must not reach outside of its folder.
    if (typeof shard !== 'string' || shard === '' || shard === '..' || /[\\/\0]/.test(shard))
      throw checkpointError(
        op,
        `weight_map of ${name} must be the name of a file beside the index`,
        shard,
        'downloading the index again',
      );
  }
  return new Map(Object.entries(map) as [string, string][]);
}
