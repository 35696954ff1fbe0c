/** Text states on disk: the same bytes as fresh ones, whatever happened to the files. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cacheFolder } from '../../src/cache-folder.ts';
import { loadPipeline } from '../../src/pipeline.ts';
import { presetOf } from '../../src/presets.ts';
import { float32 } from '../../src/runtime/value.ts';
import { textCache, textKey } from '../../src/text/cache.ts';
import type { TextEmbedding } from '../../src/text/encode.ts';
import { encoderIdentity } from '../../src/text-identity.ts';

const MODEL = new URL('../../models/mini', import.meta.url).pathname;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'text-cache-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const text: TextEmbedding = {
  llm: float32(Float32Array.of(0.1, -0, 3e-39, 1e30, 5, 6), [1, 3, 2]),
  clip: float32(Float32Array.of(1, 2, 3, 4), [1, 2, 2]),
  lengths: [2],
};

/** States through the cache, and whether they had to be encoded. */
async function ask(key: string, cache = textCache(folder)): Promise<{ states: TextEmbedding; encoded: boolean }> {
  let encoded = false;
  const states = await cache.states(key, async () => {
    encoded = true;
    return text;
  });
  return { states, encoded };
}

describe('an entry', () => {
  it('is encoded once, and read back to the bit', async () => {
    expect(await ask('a')).toEqual({ states: text, encoded: true });
    expect(await ask('a')).toEqual({ states: text, encoded: false });
    expect((await ask('b')).encoded).toBe(true);
  });

  it.each([
    ['a changed byte', (bytes: Buffer) => bytes.map((byte, i) => (i === bytes.length - 3 ? byte ^ 1 : byte))],
    ['a shorter file', (bytes: Buffer) => bytes.subarray(0, bytes.length - 4)],
    ['another kind of file', () => Buffer.from('not safetensors')],
    ['an empty file', () => Buffer.alloc(0)],
  ])('with %s is encoded again and replaced', async (_, damage) => {
    await ask('a');
    const file = path.join(folder, 'a.safetensors');
    const bytes = readFileSync(file);
    writeFileSync(file, damage(bytes));
    expect(await ask('a')).toEqual({ states: text, encoded: true });
    expect(await ask('a')).toEqual({ states: text, encoded: false });
  });

  it('that cannot be written is done without', async () => {
    writeFileSync(path.join(folder, 'file'), '');
    const cache = textCache(path.join(folder, 'file'));
    expect(await ask('a', cache)).toEqual({ states: text, encoded: true });
    expect((await ask('a', cache)).encoded).toBe(true);
  });

  it('used longest ago goes first, beyond the bound', async () => {
    await ask('a');
    const { size } = statSync(path.join(folder, 'a.safetensors'));
    const cache = textCache(folder, 2 * size);
    await ask('b', cache);
    for (const name of ['a', 'b']) utimesSync(path.join(folder, `${name}.safetensors`), 1000, 1000);
    await ask('a', cache);
    await ask('c', cache);
    expect(readdirSync(folder).sort()).toEqual(['a.safetensors', 'c.safetensors']);
  });
});

it('keys tell apart tokens, their order, and encoders', () => {
  const tokens = (...ids: number[]) => ({
    ids: Int32Array.from(ids),
    mask: new Int32Array(ids.length).fill(1),
    length: ids.length,
  });
  const [one, two] = [1, 2].map((id) => ({ llm: tokens(id), clip: tokens(id) })) as [never, never];
  const keys = [textKey([one, two], 'x'), textKey([two, one], 'x'), textKey([one], 'x'), textKey([one, two], 'y')];
  expect(new Set(keys).size).toBe(4);
  expect(textKey([one, two], 'x')).toBe(keys[0]);
});

it('a pipeline encodes a prompt once, to the same states', async () => {
  const states = async (): Promise<unknown> => {
    const options = { device: 'cpu', threads: 1, preset: presetOf(MODEL), textCache: folder } as const;
    const pipeline = await loadPipeline(MODEL, options);
    const encoded = await pipeline.encodeText(['a red apple', '']);
    await pipeline.close();
    return encoded;
  };
  const fresh = await states();
  const [file] = readdirSync(folder) as [string];
  const { mtimeMs } = statSync(path.join(folder, file));
  expect(await states()).toEqual(fresh);
  expect(readdirSync(folder)).toEqual([file]);
  expect(statSync(path.join(folder, file)).mtimeMs).toBeGreaterThanOrEqual(mtimeMs);
});

it('encoders are others with another file, machine settings or place', async () => {
  const runtime = { device: 'cpu', threads: 1 } as const;
  const files = ['step_llm/config.json', 'hunyuan_clip/tokenizer/vocab.txt'].map((name) => path.join(folder, name));
  for (const file of files) {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, 'a');
    utimesSync(file, 1000, 1000);
  }
  const identity = (options: Parameters<typeof encoderIdentity>[1] = runtime) => encoderIdentity(folder, options);
  const before = await identity();
  expect(await identity()).toEqual(before);
  expect(await identity({ ...runtime, threads: 2 })).not.toEqual(before);
  writeFileSync(files[1]!, 'b');
  expect(await identity()).not.toEqual(before);
  utimesSync(files[1]!, 1000, 1000);
  expect(await identity()).toEqual(before);
  writeFileSync(path.join(folder, 'step_llm', 'more.safetensors'), '');
  expect(await identity()).not.toEqual(before);
});

it.each([
  [{ STEP_VIDEO_CACHE: 'off', XDG_CACHE_HOME: '/x' }, undefined],
  [{ STEP_VIDEO_CACHE: '/own', XDG_CACHE_HOME: '/x' }, '/own/text'],
  [{ XDG_CACHE_HOME: '/x' }, '/x/step-video/text'],
])('the folder by %o is %s', (environment, expected) => {
  expect(cacheFolder('text', environment)).toBe(expected);
});
