import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { writeSafetensors } from '../../src/weights/safetensors-writer.ts';
import { openShardedSafetensors } from '../../src/weights/sharded.ts';
import { golden, temporaryFolder } from './temporary.ts';

const folder = temporaryFolder();
const indexName = 'model.safetensors.index.json';
const one = (name: string, value: number) => ({
  name,
  dtype: 'F32' as const,
  shape: [1],
  data: Float32Array.of(value),
});
const writeIndex = (content: unknown) =>
  writeFileSync(join(folder, indexName), typeof content === 'string' ? content : JSON.stringify(content));

beforeEach(async () => {
  await writeSafetensors(join(folder, 'one.safetensors'), [one('a', 1), one('b', 2)]);
  await writeSafetensors(join(folder, 'two.safetensors'), [one('c', 3)]);
});

describe('sharded checkpoints', () => {
  it('read as one source', async () => {
    writeIndex({
      metadata: { total_size: 12 },
      weight_map: { a: 'one.safetensors', b: 'one.safetensors', c: 'two.safetensors' },
    });
    const source = await openShardedSafetensors(folder, indexName);
    expect(source.files).toEqual([join(folder, 'one.safetensors'), join(folder, 'two.safetensors')]);
    const values = await Promise.all(
      [...source.tensors.values()].map(async (entry) => [entry.name, (await source.readFloat32(entry))[0]]),
    );
    expect(Object.fromEntries(values)).toEqual({ a: 1, b: 2, c: 3 });
    await source.close();
  });

  it('read the recorded transformer', async () => {
    const source = await openShardedSafetensors(
      golden('checkpoint/transformer'),
      'diffusion_pytorch_model.safetensors.index.json',
    );
    expect(source.tensors.size).toBe(49);
    expect(source.files).toHaveLength(2);
  });

  it.each<[string, unknown, RegExp]>([
    [
      'a missing shard',
      { weight_map: { a: 'one.safetensors', b: 'one.safetensors', c: 'gone.safetensors' } },
      /index .*index\.json: shard gone\.safetensors must lie beside it, got nothing there \(try downloading gone/,
    ],
    [
      'a tensor not in its shard',
      { weight_map: { a: 'one.safetensors', b: 'one.safetensors', x: 'two.safetensors', c: 'two.safetensors' } },
      /two\.safetensors: tensor x is named by model\.safetensors\.index\.json and must be in it, got 1 such/,
    ],
    [
      'a tensor in another shard',
      { weight_map: { a: 'one.safetensors', b: 'two.safetensors', c: 'two.safetensors' } },
      /one\.safetensors: tensor b must be assigned/,
    ],
    [
      'an extra tensor in a shard',
      { weight_map: { a: 'one.safetensors', c: 'two.safetensors' } },
      /one\.safetensors: tensor b must be assigned to it by model/,
    ],
    ['broken JSON', '{"weight_map":', /must be valid JSON/],
    ['no weight_map', { metadata: {} }, /must have a weight_map/],
    ['null', null, /must have a weight_map/],
    ['an empty weight_map', { weight_map: {} }, /must have a weight_map/],
    ['a name twice', '{"weight_map":{"a":"one.safetensors","a":"two.safetensors"}}', /must be unique, got a twice/],
    [
      'a shard that is no name',
      { weight_map: { a: 7 } },
      /weight_map of a must be the name of a file beside the index, got 7/,
    ],
    ['a shard outside of the folder', { weight_map: { a: '../one.safetensors' } }, /beside the index, got \.\.\/one/],
    ['an absolute shard', { weight_map: { a: '/etc/passwd' } }, /beside the index/],
  ])('refuse %s', async (_, content, message) => {
    writeIndex(content);
    await expect(openShardedSafetensors(folder, indexName)).rejects.toThrow(message);
    await expect(openShardedSafetensors(folder, indexName)).rejects.toMatchObject({ kind: 'checkpoint' });
  });

  it('refuse a missing index', async () => {
    await expect(openShardedSafetensors(folder, 'other.index.json')).rejects.toThrow(/must exist/);
  });
});
