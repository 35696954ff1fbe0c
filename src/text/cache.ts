/**
 * Text states kept on disk, so that a text is encoded once: one safetensors file an entry, the least recently used removed
 * beyond a bound. An entry that cannot be read is encoded again; one that cannot be written is done without.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { float32, floats, type Value } from '../runtime/value.ts';
import { openSafetensors, writeSafetensors } from '../weights/safetensors.ts';
import type { TextEmbedding, TextTokens } from './encode.ts';

export interface TextCache {
  /** The states under `key`, else those that `encode` gives, which are kept. The same bytes either way. */
  states(key: string, encode: () => Promise<TextEmbedding>): Promise<TextEmbedding>;
}

const FORMAT = 'step-video text 1';
const SUFFIX = '.safetensors';
/** Some sixty pairs of texts of the official model, or ten thousand of a small one. */
const LARGEST_BYTES = 2 ** 30;

/** Name of an entry: whatever the states of a batch depend on. `encoders` says which model files and which machine. */
export function textKey(tokens: readonly TextTokens[], encoders: unknown): string {
  const ids = tokens.map(({ llm, clip }) => [llm, clip].map((each) => [each.length, [...each.ids], [...each.mask]]));
  return createHash('sha256')
    .update(JSON.stringify([FORMAT, encoders, ids]))
    .digest('hex');
}

/** A cache in `folder`, which is made when first written to; its entries take at most `largest` bytes together. */
export function textCache(folder: string, largest = LARGEST_BYTES): TextCache {
  const fileOf = (key: string): string => path.join(folder, `${key}${SUFFIX}`);
  return {
    async states(key, encode) {
      const kept = await readEntry(fileOf(key)).catch(() => undefined);
      if (kept !== undefined) {
        const now = new Date();
        await utimes(fileOf(key), now, now).catch(() => {});
        return kept;
      }
      const text = await encode();
      // Full disks and folders of other users cost time, not videos.
      await writeEntry(fileOf(key), text)
        .then(() => prune(folder, largest))
        .catch(() => {});
      return text;
    },
  };
}

async function writeEntry(file: string, { llm, clip, lengths }: TextEmbedding): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  const tensors = Object.entries({ llm, clip }).map(([name, value]) => ({
    name,
    dtype: 'F32' as const,
    shape: value.shape,
    data: floats(value),
  }));
  await writeSafetensors(file, tensors, {
    format: FORMAT,
    lengths: JSON.stringify(lengths),
    sha256: checksum(llm, clip),
  });
}

/** Undefined where the file holds something else than it should. */
async function readEntry(file: string): Promise<TextEmbedding | undefined> {
  const source = await openSafetensors(file);
  try {
    const read = async (name: string): Promise<Value> => {
      const entry = source.tensors.get(name)!;
      return float32(await source.readFloat32(entry), entry.shape);
    };
    const [llm, clip] = [await read('llm'), await read('clip')];
    const { format, lengths = '', sha256 } = source.metadata;
    if (format !== FORMAT || sha256 !== checksum(llm, clip)) return undefined;
    return { llm, clip, lengths: JSON.parse(lengths) as number[] };
  } finally {
    await source.close();
  }
}

function checksum(...values: readonly Value[]): string {
  const hash = createHash('sha256');
  for (const { shape, data } of values)
    hash.update(shape.join('x')).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest('hex');
}

/** Removes the entries that were used longest ago until the others fit. */
async function prune(folder: string, largest: number): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(SUFFIX));
  const entries = await Promise.all(
    names.map(async (name) => {
      const file = path.join(folder, name);
      const { size, mtimeMs } = await stat(file);
      return { file, size, mtimeMs };
    }),
  );
  let total = 0;
  for (const { file, size } of entries.sort((a, b) => b.mtimeMs - a.mtimeMs)) {
    total += size;
    if (total > largest) await rm(file, { force: true });
  }
}
