/**
 * Checkpoint directories in the official layout with made-up weights: at the official sizes a set of sparse files that take
 * almost no disk, smaller or with real values where a bench or test wants them. Tokenizers are those of the recorded tiny one.
 */
import { cp, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gaussian } from '../../src/diffusion/noise.ts';
import { checkpointName, componentFolder } from '../../src/weights/checkpoint.ts';
import { type Component, type ComponentConfigs, components, parseConfig } from '../../src/weights/component-config.ts';
import { encodeFloat } from '../../src/weights/float-codec.ts';
import { expectedTensors } from '../../src/weights/manifest.ts';
import { dtypeBytes, elementCount } from '../../src/weights/tensor-entry.ts';

/** The sizes of the release; tests hold them against the recorded manifests. */
export const OFFICIAL: ComponentConfigs = {
  transformer: parseConfig('transformer', {}, 'official'),
  step_llm: parseConfig(
    'step_llm',
    {
      hidden_size: 6144,
      num_layers: 48,
      num_attention_heads: 48,
      num_attention_groups: 8,
      ffn_hidden_size: 16896,
      padded_vocab_size: 65536,
    },
    'official',
  ),
  hunyuan_clip: parseConfig(
    'hunyuan_clip',
    { hidden_size: 1024, num_hidden_layers: 24, num_attention_heads: 16, intermediate_size: 4096, vocab_size: 47020 },
    'official',
  ),
  vae: parseConfig(
    'vae',
    {
      encoder: { ch: 32, ch_mult: [4, 8, 16, 16], num_res_blocks: 2 },
      decoder: { ch: 128, ch_mult: [1, 2, 4, 4], num_res_blocks: 2 },
      z_channels: 64,
      channels: 2048,
    },
    'official',
  ),
};

/** Name of the weights, dtype and largest shard of each component. CLIP's pickled file is written as safetensors. */
const FILES: { readonly [C in Component]: { stem: string; dtype: 'BF16' | 'F32'; shardBytes: number } } = {
  transformer: { stem: 'diffusion_pytorch_model', dtype: 'BF16', shardBytes: 9.98e9 },
  step_llm: { stem: 'model', dtype: 'BF16', shardBytes: 4.98e9 },
  hunyuan_clip: { stem: 'model', dtype: 'F32', shardBytes: Number.POSITIVE_INFINITY },
  vae: { stem: 'vae_v2', dtype: 'BF16', shardBytes: Number.POSITIVE_INFINITY },
};

export type SyntheticOptions = {
  readonly configs?: Partial<ComponentConfigs>;
  /** Only these; all four unless said. */
  readonly only?: readonly Component[];
  /** Deviation of the weights; zeros, which take no disk, where undefined. */
  readonly scale?: number | undefined;
};

/** Writes a checkpoint into `directory`, which is made. Returns its size in bytes as files claim it. */
export async function writeSynthetic(directory: string, options: SyntheticOptions = {}): Promise<number> {
  const { configs = {}, only = components, scale } = options;
  let bytes = 0;
  for (const component of only)
    bytes += await writeComponent(directory, component, { config: configs[component] ?? OFFICIAL[component], scale });
  const recorded = fileURLToPath(new URL('../../test/golden/parity/checkpoint', import.meta.url));
  for (const file of ['hunyuan_clip/tokenizer', 'step_llm/step1_chat_tokenizer.model'])
    await cp(path.join(recorded, file), path.join(directory, file), { recursive: true });
  await fillVocabulary(
    path.join(directory, 'hunyuan_clip/tokenizer/vocab.txt'),
    {
      ...OFFICIAL,
      ...configs,
    }.hunyuan_clip.vocab_size,
  );
  return bytes;
}

/** Words that no prompt has, up to `lines`: a vocabulary must be as long as its encoder's table. */
async function fillVocabulary(file: string, lines: number): Promise<void> {
  const words = (await readFile(file, 'utf8')).trimEnd().split('\n');
  const unused = Array.from({ length: Math.max(0, lines - words.length) }, (_, i) => `[unused-${i}]`);
  await writeFile(file, `${[...words, ...unused].join('\n')}\n`);
}

type Entry = { readonly name: string; readonly shape: readonly number[]; readonly bytes: number };

async function writeComponent<C extends Component>(
  directory: string,
  component: C,
  { config, scale }: { config: ComponentConfigs[C]; scale: number | undefined },
): Promise<number> {
  const { stem, dtype, shardBytes } = FILES[component];
  const folder = componentFolder(directory, component);
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'config.json'), JSON.stringify(config, undefined, 2));
  const shards: Entry[][] = [[]];
  let filled = 0;
  for (const [name, shape] of expectedTensors(component, config)) {
    const bytes = elementCount(shape) * dtypeBytes[dtype];
    if (filled > 0 && filled + bytes > shardBytes) {
      shards.push([]);
      filled = 0;
    }
    shards.at(-1)!.push({ name: checkpointName(component, name), shape, bytes });
    filled += bytes;
  }
  const of = String(shards.length).padStart(5, '0');
  const names = shards.map((_, i) =>
    shards.length === 1 ? `${stem}.safetensors` : `${stem}-${String(i + 1).padStart(5, '0')}-of-${of}.safetensors`,
  );
  const noise = scale === undefined ? undefined : encodeFloat(noiseOf(scale), dtype);
  for (const [i, entries] of shards.entries())
    await writeShard(path.join(folder, names[i]!), { entries, dtype, noise });
  const total = shards.flat().reduce((sum, entry) => sum + entry.bytes, 0);
  if (shards.length > 1) {
    const weight_map = Object.fromEntries(shards.flatMap((entries, i) => entries.map(({ name }) => [name, names[i]])));
    const index = JSON.stringify({ metadata: { total_size: total }, weight_map }, undefined, 2);
    await writeFile(path.join(folder, `${stem}.safetensors.index.json`), index);
  }
  return total;
}

const noiseOf = (scale: number): Float32Array => gaussian({ seed: 1, length: 1 << 20 }).map((x) => x * scale);

type Shard = { entries: readonly Entry[]; dtype: 'BF16' | 'F32'; noise: Uint8Array | undefined };

/** A file of its full length from the start; without noise its data are a hole. */
async function writeShard(file: string, { entries, dtype, noise }: Shard): Promise<void> {
  let end = 0;
  const header: Record<string, object> = { __metadata__: { format: 'pt' } };
  for (const { name, shape, bytes } of entries) {
    header[name] = { dtype, shape, data_offsets: [end, end + bytes] };
    end += bytes;
  }
  const json = Buffer.from(JSON.stringify(header));
  const head = Buffer.alloc(8 + Math.ceil(json.byteLength / 8) * 8, ' ');
  head.writeBigUInt64LE(BigInt(head.byteLength - 8), 0);
  json.copy(head, 8);
  const handle = await open(file, 'w');
  try {
    await handle.write(head);
    await handle.truncate(head.byteLength + end);
    for (let at = 0; noise !== undefined && at < end; at += noise.byteLength)
      await handle.write(noise, 0, Math.min(noise.byteLength, end - at), head.byteLength + at);
    // Only clean pages can be dropped from memory by whoever measures reading.
    if (noise !== undefined) await handle.sync();
  } finally {
    await handle.close();
  }
}
