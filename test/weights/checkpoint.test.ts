import { cpSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { checkComponent, checkpointName, openComponent } from '../../src/weights/checkpoint.ts';
import { type Component, components } from '../../src/weights/component-config.ts';
import { expectedTensors } from '../../src/weights/manifest.ts';
import { matchExpected } from '../../src/weights/match.ts';
import { writeSafetensors } from '../../src/weights/safetensors-writer.ts';
import { createTensorSource, type TensorSource } from '../../src/weights/tensor-entry.ts';
import { golden, temporaryFolder } from './temporary.ts';

const tiny = golden('checkpoint');
const folder = temporaryFolder();
const copy = join(folder, 'checkpoint');
const clip = join(copy, 'hunyuan_clip/clip_text_encoder');

beforeEach(() => {
  rmSync(copy, { recursive: true, force: true });
  cpSync(tiny, copy, { recursive: true });
});

/** All tensors of a component, ready to be written again under file names. */
async function contents(component: Component) {
  const { source } = await openComponent(tiny, component);
  const read = [...source.tensors.values()].map(async (entry) => ({
    name: checkpointName(component, entry.name),
    dtype: entry.dtype,
    shape: entry.shape,
    data: await source.readTensor(entry),
  }));
  const tensors = await Promise.all(read);
  await source.close();
  return tensors;
}

describe('the tiny checkpoint', () => {
  it.each(components)('%s is complete under module names', async (component) => {
    const opened = await openComponent(tiny, component);
    checkComponent(opened);
    const expected = expectedTensors(component as 'vae', opened.config as never);
    expect(opened.source.tensors.size).toBe(expected.size);
    for (const [name, entry] of opened.source.tensors) expect(entry.name).toBe(name);
  });

  it('has its fix-ups applied and foreign keys listed', async () => {
    const vae = await openComponent(tiny, 'vae');
    expect(vae.source.tensors.has('decoder.conv_out.conv.weight')).toBe(true);
    expect(vae.source.tensors.has('decoder.conv_out.weight')).toBe(false);
    expect(vae.skipped).toEqual([]);
    const bert = await openComponent(tiny, 'hunyuan_clip');
    expect(bert.source.tensors.has('embeddings.word_embeddings.weight')).toBe(true);
    expect(bert.skipped).toEqual(['cls.predictions.bias']);
    expect(bert.config).toMatchObject({ hidden_size: 64, num_hidden_layers: 3, layer_norm_eps: 1e-12 });
    expect((await openComponent(tiny, 'transformer')).config).toMatchObject({
      num_layers: 2,
      attention_head_dim: 128,
      in_channels: 2,
    });
  });

  it('gives values under module names', async () => {
    const { source } = await openComponent(tiny, 'vae');
    const entry = source.tensors.get('decoder.conv_out.conv.bias');
    if (entry === undefined) expect.fail('decoder.conv_out.conv.bias');
    const values = await source.readFloat32(entry);
    expect(values).toHaveLength(3);
    expect(values.every((v) => Number.isFinite(v) && v !== 0)).toBe(true);
    await source.close();
  });
});

describe('other forms of the same component', () => {
  it('a safetensors file beside the pickled one is preferred', async () => {
    await writeSafetensors(join(clip, 'model.safetensors'), await contents('hunyuan_clip'));
    writeFileSync(join(clip, 'pytorch_model.bin'), 'broken');
    const opened = await openComponent(copy, 'hunyuan_clip');
    expect(opened.files).toEqual([join(clip, 'model.safetensors')]);
    checkComponent(opened);
  });

  it.each([
    ['transformer', 'diffusion_pytorch_model.safetensors'],
    ['step_llm', 'model.safetensors'],
  ] as const)('%s in one file instead of shards', async (component, name) => {
    rmSync(join(copy, component, `${name}.index.json`));
    await writeSafetensors(join(copy, component, name), await contents(component));
    const opened = await openComponent(copy, component);
    expect(opened.files).toEqual([join(copy, component, name)]);
    checkComponent(opened);
  });

  it('CLIP keys without prefix, with the foreign ones of a BERT', async () => {
    const own = (await contents('hunyuan_clip')).map((t) => ({ ...t, name: t.name.replace(/^bert\./, '') }));
    const foreign = ['pooler.dense.weight', 'cls.predictions.bias', 'embeddings.position_ids'].map((name) => ({
      name,
      dtype: 'I64' as const,
      shape: [1],
      data: new Uint8Array(8),
    }));
    await writeSafetensors(join(clip, 'model.safetensors'), [...own, ...foreign]);
    const opened = await openComponent(copy, 'hunyuan_clip');
    checkComponent(opened);
    expect([...opened.skipped].sort()).toEqual([
      'cls.predictions.bias',
      'embeddings.position_ids',
      'pooler.dense.weight',
    ]);
  });

  it('a VAE with module names and a config of its own', async () => {
    const tensors = (await contents('vae')).map((t) => ({
      ...t,
      name: t.name.replace('decoder.conv_out.', 'decoder.conv_out.conv.'),
    }));
    await writeSafetensors(join(copy, 'vae/vae_v2.safetensors'), tensors);
    const { config } = await openComponent(tiny, 'vae');
    writeFileSync(join(copy, 'vae/config.json'), JSON.stringify({ ...config, num_groups: 16 }));
    const opened = await openComponent(copy, 'vae');
    expect(opened.config.num_groups).toBe(16);
    checkComponent(opened);
  });

  it('a VAE that holds a tensor under both names is refused', async () => {
    const tensors = await contents('vae');
    const twice = tensors
      .filter((t) => t.name === 'decoder.conv_out.bias')
      .map((t) => ({ ...t, name: 'decoder.conv_out.conv.bias' }));
    await writeSafetensors(join(copy, 'vae/vae_v2.safetensors'), [...tensors, ...twice]);
    await expect(openComponent(copy, 'vae')).rejects.toThrow(/decoder\.conv_out\.conv\.bias must be stored once/);
  });
});

describe('bad checkpoints name the file and say what to do', () => {
  const rejects = async (component: Component, message: RegExp) => {
    const attempt = async () => checkComponent(await openComponent(copy, component));
    const error = await attempt().catch((e) => e);
    expect(error).toMatchObject({ name: 'StepVideoError', kind: 'checkpoint' });
    expect(error.message).toMatch(message);
    expect(error.hint).toBeTruthy();
  };

  it('a missing folder', async () => {
    rmSync(join(copy, 'step_llm'), { recursive: true });
    await rejects('step_llm', /checkpoint .*step_llm: the step_llm component must have its folder, got nothing there/);
  });

  it('a folder without weights', async () => {
    rmSync(join(copy, 'vae/vae_v2.safetensors'));
    await rejects('vae', /must have one of vae_v2\.safetensors, .*got an empty folder/);
  });

  it('the older VAE alone', async () => {
    renameSync(join(copy, 'vae/vae_v2.safetensors'), join(copy, 'vae/vae.safetensors'));
    await rejects('vae', /got vae\.safetensors \(try vae_v2\.safetensors; vae\.safetensors is the older 4x8x8 model\)/);
  });

  it('a missing shard', async () => {
    rmSync(join(copy, 'transformer/diffusion_pytorch_model-00002-of-00002.safetensors'));
    await rejects(
      'transformer',
      /index .*: shard diffusion_pytorch_model-00002-of-00002\.safetensors must lie beside it/,
    );
  });

  it('a truncated shard', async () => {
    const shard = join(copy, 'step_llm/model-00002-of-00002.safetensors');
    truncateSync(shard, 300_000);
    await rejects(
      'step_llm',
      /model-00002-of-00002\.safetensors: tensor .* must lie in the file, got a file of 300000 bytes/,
    );
  });

  it('a missing config, a broken one, and one of another model', async () => {
    const file = join(copy, 'transformer/config.json');
    const config = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ ...config, num_layers: 3 }));
    await rejects(
      'transformer',
      /no fewer: 16 missing \(transformer_blocks\.2\.scale_shift_table, .*… 8 more\) \(try the config\.json/,
    );
    writeFileSync(file, JSON.stringify({ ...config, num_layers: 1 }));
    await rejects('transformer', /: 16 left over \(transformer_blocks\.1\..*, … 8 more\) \(try/);
    writeFileSync(file, JSON.stringify({ ...config, in_channels: 4 }));
    await rejects(
      'transformer',
      /1 misshapen \(pos_embed\.proj\.weight \[256, 2, 1, 1\] instead of \[256, 4, 1, 1\] in diffusion_pytorch_model-0000\d-of-00002\.safetensors\) \(try the config\.json/,
    );
    writeFileSync(file, '{');
    await rejects('transformer', /config .*transformer\/config\.json: this must be valid JSON/);
    rmSync(file);
    await rejects('transformer', /config .*transformer\/config\.json: the file must exist/);
  });

  it('the weights of another component', async () => {
    await writeSafetensors(join(clip, 'model.safetensors'), await contents('step_llm'));
    await rejects('hunyuan_clip', /53 missing .*19 left over .*try the file of the right component/);
  });

  it('CLIP weights with an extra tensor of its own', async () => {
    const extra = { name: 'bert.extra.weight', dtype: 'F32' as const, shape: [1], data: Float32Array.of(1) };
    await writeSafetensors(join(clip, 'model.safetensors'), [...(await contents('hunyuan_clip')), extra]);
    await rejects('hunyuan_clip', /model\.safetensors: .*: 1 left over \(extra\.weight\)/);
  });

  it('the malicious pickle in place of CLIP', async () => {
    cpSync(golden('pickles/malicious_zip.bin'), join(clip, 'pytorch_model.bin'));
    await rejects('hunyuan_clip', /pytorch_model\.bin: .*got posix\.system/);
  });
});

describe('matchExpected', () => {
  const entry = (name: string, shape: number[]) => ({
    name,
    dtype: 'F32' as const,
    shape,
    file: 'dir/f',
    offset: 0,
    byteLength: 0,
  });
  const source = (...entries: ReturnType<typeof entry>[]): TensorSource =>
    createTensorSource('dir/f', new Map(entries.map((e) => [e.name, e])));

  it('passes on equality', () => {
    expect(() => matchExpected(new Map([['a', [1, 2]]]), source(entry('a', [1, 2])))).not.toThrow();
    expect(() => matchExpected(new Map([['s', []]]), source(entry('s', [])))).not.toThrow();
  });

  it('lists the first eight of each kind with counts, in one error', () => {
    const names = Array.from({ length: 10 }, (_, i) => `n${i}`);
    const expected = new Map<string, number[]>([
      ...names.map((n): [string, number[]] => [n, [1]]),
      ['b', [2]],
      ['ok', [1]],
    ]);
    const act = () => matchExpected(expected, source(entry('b', [2, 1]), entry('x', [1]), entry('ok', [1])));
    expect(act).toThrow(
      'checkpoint dir/f: its tensors must be the 12 of the config, no more and no fewer: ' +
        '10 missing (n0, n1, n2, n3, n4, n5, n6, n7, … 2 more); 1 left over (x); 1 misshapen (b [2, 1] instead of [2] in f)',
    );
  });
});
