/** The parity command over all recorded sets, and over directories that are not as they should be. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { formatReport, runParity, type SetReport } from '../../src/parity/run.ts';
import { openSafetensors, writeSafetensors } from '../../src/weights/safetensors.ts';

const recorded = new URL('../golden/parity', import.meta.url).pathname;
let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'parity-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

it('passes on every recorded set', { timeout: 300_000 }, async () => {
  const seen: SetReport[] = [];
  const { sets, failed } = await runParity(recorded, { onSet: (report) => seen.push(report) });
  expect(sets.filter(({ ok }) => !ok)).toEqual([]);
  expect(failed).toBe(0);
  expect(seen).toEqual(sets);
  expect(Object.fromEntries(sets.map(({ set, tensors }) => [set, tensors]))).toEqual({
    bert: 5,
    checkpoint: 311,
    dit_a: 11,
    dit_b: 18,
    'manifests/hunyuan_clip': 391,
    'manifests/step_llm': 291,
    'manifests/transformer': 787,
    'manifests/vae_v2': 264,
    'pickles/pickles': 68,
    pipeline: 24,
    rng_torch_cpu: 41,
    scheduler: 24,
    stepllm: 7,
    tables: 16,
    'tokenizers/bert': 170,
    'tokenizers/spm_bpe': 257,
    'tokenizers/spm_unigram': 257,
    training_dit: 155,
    training_vae: 194,
    vae: 39,
  });
});

/** A directory with some of the recorded files. */
function directory(name: string, files: readonly string[]): string {
  const dir = join(scratch, name);
  mkdirSync(dir);
  for (const file of files) cpSync(join(recorded, file), join(dir, file), { recursive: true });
  return dir;
}

const json = (dir: string, name: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(dir, `${name}.json`), 'utf8'));
const save = (dir: string, name: string, value: unknown): void =>
  writeFileSync(join(dir, `${name}.json`), JSON.stringify(value));

/** Rewrites NAME.safetensors with tensors changed, or left out where `change` returns undefined. */
async function rewrite(
  dir: string,
  name: string,
  change: (tensor: string, data: Float32Array) => Float32Array | undefined,
) {
  const path = join(dir, `${name}.safetensors`);
  const source = await openSafetensors(path);
  const tensors = [];
  for (const [tensor, entry] of source.tensors) {
    const data = change(tensor, await source.readFloat32(entry));
    if (data !== undefined) tensors.push({ name: tensor, dtype: 'F32' as const, shape: [...entry.shape], data });
  }
  await source.close();
  await writeSafetensors(path, tensors);
}

const tables = ['tables.json', 'tables.safetensors', 'scheduler.json', 'scheduler.safetensors'];
const failures = async (dir: string) => (await runParity(dir)).sets.filter(({ ok }) => !ok);

describe('a directory that is not as recorded', () => {
  it('passes under other names, with sets and tensors left out of both files', async () => {
    const dir = directory('renamed', tables);
    for (const ending of ['json', 'safetensors'])
      renameSync(join(dir, `tables.${ending}`), join(dir, `rotary.${ending}`));
    await rewrite(dir, 'rotary', (tensor, data) => (/16/.test(tensor) ? undefined : data));
    const description = json(dir, 'rotary') as { tensors: Record<string, unknown> };
    save(dir, 'rotary', {
      ...description,
      tensors: Object.fromEntries(Object.entries(description.tensors).filter(([tensor]) => !/16/.test(tensor))),
    });
    const { sets } = await runParity(dir);
    expect(sets).toMatchObject([
      { set: 'rotary', ok: true, tensors: 7 },
      { set: 'scheduler', ok: true },
    ]);
  });

  it('fails at one wrong value and names its tensor', async () => {
    const dir = directory('wrong', tables);
    await rewrite(dir, 'tables', (tensor, data) => {
      if (tensor === 'sin64') data[100] = data[100]! + 1e-4;
      return data;
    });
    await rewrite(dir, 'scheduler', (tensor, data) => {
      if (tensor === 'sigmas_50_7') data[3] = data[3]! + 2e-6;
      return data;
    });
    expect(await failures(dir)).toMatchObject([
      { set: 'scheduler', note: 'sigmas_50_7' },
      { set: 'tables', note: 'sin64' },
    ]);
  });

  it('fails at noise that differs in its last bit or in the sign of zero, at unknown draws, and at a seed without any', async () => {
    const dir = directory('noise', ['rng_torch_cpu.json', 'rng_torch_cpu.safetensors']);
    expect(await failures(dir)).toEqual([]);
    await rewrite(dir, 'rng_torch_cpu', (tensor, data) => {
      const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
      if (tensor === 'seed1_17') bits[16]!++;
      if (tensor === 'seed0_bf16_3x4x8x6') bits[data.indexOf(0)] = 0x80000000;
      return data;
    });
    expect(await failures(dir)).toMatchObject([{ set: 'rng_torch_cpu', note: 'seed0_bf16_3x4x8x6, seed1_17' }]);
    await rewrite(dir, 'rng_torch_cpu', (tensor, data) => (tensor.startsWith('seed1_') ? undefined : data));
    expect((await failures(dir))[0]?.note).toContain('draws of seed 1');
    await writeSafetensors(join(dir, 'rng_torch_cpu.safetensors'), [
      { name: 'seed1_gamma_3', dtype: 'F32', shape: [1], data: Float32Array.of(1) },
    ]);
    expect((await failures(dir))[0]?.note).toMatch(/draws that this program knows, got seed1_gamma_3/);
  });

  it('fails at a tensor that is missing, and at one that nothing computes', async () => {
    const dir = directory('missing', tables);
    await rewrite(dir, 'tables', (tensor, data) => (tensor === 'cos32' ? undefined : data));
    expect((await failures(dir))[0]?.note).toMatch(/must hold cos32 \[64, 32\], got nothing/);
    cpSync(join(recorded, 'tables.safetensors'), join(dir, 'tables.safetensors'));
    const description = json(dir, 'scheduler') as { tensors: Record<string, unknown> };
    await rewrite(dir, 'scheduler', (_, data) => data);
    const path = join(dir, 'scheduler.safetensors');
    const source = await openSafetensors(path);
    const kept = await Promise.all(
      [...source.tensors].map(async ([name, entry]) => ({
        name,
        dtype: 'F32' as const,
        shape: [...entry.shape],
        data: await source.readFloat32(entry),
      })),
    );
    await source.close();
    await writeSafetensors(path, [...kept, { name: 'extra', dtype: 'F32', shape: [1], data: Float32Array.of(1) }]);
    save(dir, 'scheduler', { ...description, tensors: { ...description.tensors, extra: { shape: [1] } } });
    expect(await failures(dir)).toMatchObject([{ set: 'scheduler', note: expect.stringContaining('got extra') }]);
  });

  it('fails at a set that it does not know, at a file of no set, and at broken JSON', async () => {
    const dir = directory('unknown', tables);
    save(dir, 'other', { set: 'optical flow' });
    save(dir, 'nameless', {});
    writeFileSync(join(dir, 'broken.json'), '{');
    writeFileSync(join(dir, 'stray.safetensors'), '');
    expect(await failures(dir)).toMatchObject([
      { set: 'broken', note: expect.stringContaining('must be readable JSON') },
      { set: 'nameless', note: expect.stringContaining('got no field `set`') },
      { set: 'other', note: 'parity: other must be a set that this program knows, got optical flow' },
      { set: 'stray.safetensors', note: expect.stringContaining('must be a set that this program knows') },
    ]);
  });

  it('fails at token ids and shapes that differ', async () => {
    const dir = directory('ids', ['tokenizers', 'checkpoint', 'manifests']);
    const cases = json(dir, 'tokenizers/bert') as { cases: { ids: number[] }[] };
    cases.cases[5]!.ids[2]!++;
    save(dir, 'tokenizers/bert', cases);
    const manifest = json(dir, 'manifests/transformer') as { tensors: Record<string, number[]> };
    manifest.tensors['proj_out.bias'] = [65];
    save(dir, 'manifests/transformer', manifest);
    const shards = join(dir, 'checkpoint/transformer/diffusion_pytorch_model-00002-of-00002.safetensors');
    writeFileSync(shards, readFileSync(shards).subarray(0, -4));
    expect(await failures(dir)).toMatchObject([
      { set: 'checkpoint', note: expect.stringContaining('00002-of-00002') },
      { set: 'manifests/transformer', note: 'proj_out.bias' },
      { set: 'tokenizers/bert', note: 'case 5 ids' },
    ]);
  });
});

describe('the command', () => {
  const world = () => {
    const lines: string[] = [];
    const take = (line: string): void => void lines.push(line);
    return {
      lines,
      world: {
        print: take,
        note: take,
        terminal: undefined,
        signal: new AbortController().signal,
        program: 'step-video',
      },
    };
  };

  it('prints a line for each set and exits with 0, or with 1 where one fails', async () => {
    const dir = directory('command', tables);
    const good = world();
    expect(await run(['parity', dir], good.world)).toBe(0);
    expect(good.lines).toHaveLength(4);
    expect(good.lines[1]).toMatch(/^scheduler +24 +\S+ +\S+ +\S+ +ok$/);
    save(dir, 'other', { set: 'optical flow' });
    const bad = world();
    expect(await run(['parity', dir], bad.world)).toBe(1);
    expect(bad.lines[1]).toMatch(/^other .* FAIL {2}parity: other must be/);
    expect(bad.lines.at(-1)).toBe('3 sets, 1 FAIL');
  });

  it('refuses a directory that is not there, or holds nothing', async () => {
    expect(await run(['parity', join(scratch, 'nowhere')], world().world)).toBe(2);
    mkdirSync(join(scratch, 'empty'));
    expect(await run(['parity', join(scratch, 'empty')], world().world)).toBe(2);
    expect(await run(['parity'], world().world)).toBe(2);
  });

  it('writes numbers that have no digits', () => {
    const report = { set: 'x', tensors: 1, absolute: Number.POSITIVE_INFINITY, relative: Number.NaN, tolerance: 0 };
    expect(formatReport({ ...report, ok: false, note: 'a\n  b' })).toMatch(/^x +1 +∞ +- +0 +FAIL {2}a b$/);
  });
});
