/** What the test hub holds: made-up bytes under the official names, or the recorded tiny checkpoint; and a cache of one's own. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

const checkpoint = fileURLToPath(new URL('../golden/parity/checkpoint', import.meta.url));

/** Bytes that differ at every place and for every `seed`. */
export function bytesOf(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed * 2654435761 + 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** The official file names with content of our own; `vae` bytes in the one large file. */
export function officialNames(vae = 3_000_000): Map<string, Buffer> {
  const text = (what: string): Buffer => Buffer.from(`${what}\n`);
  const shards = [1, 2].map((i): [string, Buffer] => [
    `transformer/diffusion_pytorch_model-0000${i}-of-00002.safetensors`,
    bytesOf(200_000 + i, i),
  ]);
  return new Map([
    ['.gitattributes', text('* lfs')],
    ['README.md', text('# Step-Video-T2V')],
    ['model_index.json', text('{"_class_name": "StepVideoPipeline"}')],
    ['lib/liboptimus_ths-torch2.5-cu124.cpython-310-x86_64-linux-gnu.so', bytesOf(1000, 11)],
    ['hunyuan_clip/clip_text_encoder/config.json', text('{"clip": 1}')],
    ['hunyuan_clip/clip_text_encoder/pytorch_model.bin', bytesOf(50_000, 12)],
    ['hunyuan_clip/tokenizer/special_tokens_map.json', text('{"map": 1}')],
    ['hunyuan_clip/tokenizer/tokenizer_config.json', text('{"tokenizer": 1}')],
    ['hunyuan_clip/tokenizer/vocab.txt', text('[PAD]')],
    ['hunyuan_clip/tokenizer/vocab_org.txt', text('[ORG]')],
    ['step_llm/config.json', text('{"llm": 1}')],
    ['step_llm/model-00001-of-00001.safetensors', bytesOf(70_000, 13)],
    ['step_llm/model.safetensors.index.json', text('{"weight_map": {}}')],
    ['step_llm/step1_chat_tokenizer.model', bytesOf(900, 14)],
    ['transformer/config.json', text('{"dit": 1}')],
    ['transformer/diffusion_pytorch_model.safetensors.index.json', text('{"weight_map": 1}')],
    ...shards,
    ['vae/vae.safetensors', bytesOf(5000, 15)],
    ['vae/vae_v2.safetensors', bytesOf(vae, 16)],
  ]);
}

/** What a pull of everything takes of `officialNames`. */
export const NEEDED = [...officialNames(1).keys()].filter(
  (path) => !/^\.|README|^lib|vocab_org|vae\.safetensors/.test(path),
);

/** The recorded checkpoint that the loaders open. */
export function tinyCheckpoint(): Map<string, Buffer> {
  return filesBelow(checkpoint);
}

export function filesBelow(folder: string): Map<string, Buffer> {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
  const files = paths.filter((path) => statSync(path).isFile());
  return new Map(files.map((path) => [relative(folder, path), readFileSync(path)]));
}

/** Paths in order with a hash of each content: quick to compare. */
export const digests = (files: ReadonlyMap<string, Buffer>): Record<string, string> =>
  Object.fromEntries(
    [...files]
      .map(([path, bytes]): [string, string] => [path, createHash('sha256').update(bytes).digest('hex')])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );

const homes: string[] = [];

// Here and not in the function: what a running test registers is never called.
afterAll(() => {
  for (const home of homes) rmSync(home, { recursive: true, force: true });
});

/** An environment whose caches and credentials are in a new folder; removed when the calling test file ends. */
export function cacheOfItsOwn(endpoint: string): { home: string; env: Record<string, string> } {
  const home = mkdtempSync(join(tmpdir(), 'step-video-hub-'));
  homes.push(home);
  const [HF_HOME, MODELSCOPE_CACHE] = [join(home, 'huggingface'), join(home, 'modelscope')];
  return { home, env: { HF_HOME, MODELSCOPE_CACHE, HF_ENDPOINT: endpoint, MODELSCOPE_ENDPOINT: endpoint } };
}

/** Names below `folder` that belong to unfinished files. */
export const leftovers = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(part|lock|tmp)$|\.part\.json$|\.moving$/.test(name),
  );
