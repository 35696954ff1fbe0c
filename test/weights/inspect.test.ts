import { cpSync, mkdirSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatInspection } from '../../src/weights/format-inspection.ts';
import { detectComponent, inspect } from '../../src/weights/inspect.ts';
import { writeSafetensors } from '../../src/weights/safetensors-writer.ts';
import { golden, temporaryFolder } from './temporary.ts';

const folder = temporaryFolder();

describe('inspect', () => {
  it('a complete checkpoint', async () => {
    const result = await inspect(golden('checkpoint'));
    expect(result.complete).toBe(true);
    expect(result.components.map(({ component, match }) => [component, match?.matched, match?.expected])).toEqual([
      ['transformer', 49, 49],
      ['vae', 190, 190],
      ['step_llm', 19, 19],
      ['hunyuan_clip', 53, 53],
    ]);
    expect(result.totals).toMatchObject({ files: 6, tensors: 312, parametersByDtype: { BF16: 8289169, F32: 134474 } });
    const text = formatInspection(result, { tensors: false });
    expect(text).toMatch(
      /transformer\s+ok\s+49\/49\s+0\s+0\s+0\s+0\s+diffusion_pytorch_model\.safetensors\.index\.json/,
    );
    expect(text).toContain('hunyuan_clip skipped: cls.predictions.bias');
    expect(text).toContain('total: 6 files, 312 tensors, 8,423,643 parameters');
    expect(text).not.toContain('encoder.conv_in.conv.weight');
  });

  it('one file: every tensor with type, shape, bytes and parameters', async () => {
    const result = await inspect(golden('pickles/odd.bin'));
    expect(result.components).toEqual([]);
    expect(result.complete).toBe(true);
    expect(result.files[0]?.format).toBe('torch zip');
    expect(result.files[0]?.tensors).toContainEqual({
      name: 'transposed',
      dtype: 'F32',
      shape: [8, 6],
      bytes: 192,
      parameters: 48,
    });
    expect(formatInspection(result)).toMatch(/transposed\s+F32\s+\[8, 6\]\s+48\s+192 B/);
  });

  it('a component folder, its file, its index; a lone shard is only listed', async () => {
    const match = async (...path: string[]) =>
      (await inspect(golden('checkpoint', ...path))).components.map((c) => [c.component, c.match?.matched]);
    expect(await match('vae')).toEqual([['vae', 190]]);
    expect(await match('vae/vae_v2.safetensors')).toEqual([['vae', 190]]);
    expect(await match('transformer')).toEqual([['transformer', 49]]);
    expect(await match('step_llm/model.safetensors.index.json')).toEqual([['step_llm', 19]]);
    expect(await match('step_llm/model-00001-of-00002.safetensors')).toEqual([]);
    expect(await match('hunyuan_clip/clip_text_encoder/pytorch_model.bin')).toEqual([['hunyuan_clip', 53]]);
  });

  it('a damaged checkpoint: what is broken is reported, the rest still matched', async () => {
    const copy = join(folder, 'damaged');
    cpSync(golden('checkpoint'), copy, { recursive: true });
    truncateSync(join(copy, 'step_llm/model-00001-of-00002.safetensors'), 20_000);
    rmSync(join(copy, 'hunyuan_clip'), { recursive: true });
    await writeSafetensors(join(copy, 'vae/vae_v2.safetensors'), [
      { name: 'decoder.conv_unpatchify.conv.conv.weight', dtype: 'F32', shape: [1], data: Float32Array.of(1) },
    ]);
    const result = await inspect(copy);
    expect(result.complete).toBe(false);
    const errors = Object.fromEntries(result.components.map(({ component, error }) => [component, error]));
    expect(errors.transformer).toBeUndefined();
    expect(errors.step_llm).toMatch(/must lie in the file/);
    expect(errors.vae).toMatch(/infer VAE config/);
    expect(errors.hunyuan_clip).toMatch(/must have its folder/);
    const text = formatInspection(result);
    expect(text).toMatch(/unreadable: safetensors .*model-00001/);
    expect(text).toMatch(/step_llm\s+unreadable/);
  });

  it('a checkpoint with missing, left-over and misshapen tensors', async () => {
    const copy = join(folder, 'wrong');
    cpSync(golden('checkpoint/hunyuan_clip'), join(copy, 'hunyuan_clip'), { recursive: true });
    await writeSafetensors(join(copy, 'hunyuan_clip/clip_text_encoder/model.safetensors'), [
      { name: 'bert.embeddings.word_embeddings.weight', dtype: 'F16', shape: [2, 2], data: new Float32Array(4) },
      { name: 'bert.extra', dtype: 'F32', shape: [], data: Float32Array.of(1) },
    ]);
    const result = await inspect(copy);
    const report = result.components.find(({ component }) => component === 'hunyuan_clip');
    expect(report?.match).toMatchObject({
      matched: 0,
      extra: ['extra'],
      misshapen: [{ found: [2, 2], expected: [394, 64] }],
    });
    expect(report?.match?.missing).toHaveLength(52);
    const text = formatInspection(result);
    expect(text).toContain('NOT LOADABLE');
    expect(text).toContain('hunyuan_clip misshapen: embeddings.word_embeddings.weight [2, 2] instead of [394, 64]');
    expect(text).toContain('… 44 more');
  });

  it('an index whose shard is gone, and a file that is refused', async () => {
    const copy = join(folder, 'index');
    cpSync(golden('checkpoint/step_llm'), copy, { recursive: true });
    rmSync(join(copy, 'model-00002-of-00002.safetensors'));
    const result = await inspect(join(copy, 'model.safetensors.index.json'));
    expect(result.complete).toBe(false);
    expect(result.files[0]?.error).toMatch(/must lie beside it/);
    expect((await inspect(golden('pickles/malicious_zip.bin'))).files[0]?.error).toContain('posix.system');
  });

  it('nothing: a path without weights', async () => {
    mkdirSync(join(folder, 'empty'));
    await expect(inspect(join(folder, 'empty'))).rejects.toMatchObject({ kind: 'input' });
    await expect(inspect(join(folder, 'nowhere'))).rejects.toThrow(/must exist/);
    await expect(inspect(golden('pickles/pickles.json'))).rejects.toThrow(/must end in \.safetensors/);
  });

  it('tells components by a tensor that only they have', () => {
    expect(detectComponent(['transformer_blocks.0.norm1.weight'])).toBe('transformer');
    expect(detectComponent(['a', 'b'])).toBeUndefined();
  });
});
