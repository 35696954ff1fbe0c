/** `step-video quantize` on the tiny checkpoint: what comes out, what readers make of it, kills, full disks, wrong inputs. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, test } from 'vitest';
import { loadDit } from '../../src/dit/load.ts';
import { float32 } from '../../src/runtime/value.ts';
import { loadTextEncoders } from '../../src/text/load.ts';
import { checkComponent, componentFolder, openComponent } from '../../src/weights/checkpoint.ts';
import { inspect } from '../../src/weights/inspect.ts';
import { expectedTransformer } from '../../src/weights/manifest.ts';
import { QUANTIZED_COMPONENTS, QUANTIZED_FORMS, SCHEMES } from '../../src/weights/quantization.ts';
import {
  type QuantizeCheckpointOptions,
  quantizeCheckpoint,
  quantizedSizes,
} from '../../src/weights/quantize-checkpoint.ts';
import { quantizedBytes } from '../../src/weights/quantize-component.ts';
import { writeSafetensors } from '../../src/weights/safetensors.ts';
import type { TensorEntry, TensorSource } from '../../src/weights/tensor-entry.ts';
import { openWeights } from '../../src/weights/weight-file.ts';
import { golden, temporaryFolder } from './temporary.ts';

const tiny = golden('checkpoint');
const folder = temporaryFolder();
const out = join(folder, 'out');
const stem = 'diffusion_pytorch_model';
/** Cuts the tiny transformer into a handful of shards. */
const shardBytes = 1e6;

beforeEach(() => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
});

const quantize = (options: Partial<QuantizeCheckpointOptions> = {}) =>
  quantizeCheckpoint(tiny, { to: 'int4', out, ...options });

/** A tensor as float32, as text that compares fast. */
const floatBytes = async (source: TensorSource, name: string): Promise<string> =>
  Buffer.from((await source.readFloat32(source.tensors.get(name) as TensorEntry)).buffer).toString('base64');

/** The bytes of every weight file below a directory, by name. */
function weightBytes(directory: string): Record<string, string> {
  const names = readdirSync(directory, { recursive: true }).map(String).sort();
  return Object.fromEntries(
    names
      .filter((name) => /safetensors/.test(name))
      .map((name) => [name, readFileSync(join(directory, name)).toString('base64')]),
  );
}

describe.each(SCHEMES)('%s', (to) => {
  test('every component holds the tensors of its config; what is not quantized is as it was', async () => {
    const result = await quantize({ to });
    expect(result.linked).toEqual(['vae/vae_v2.safetensors']);
    expect(result.copied).toContain('model_index.json');
    for (const component of QUANTIZED_COMPONENTS) {
      const [before, after] = await Promise.all([openComponent(tiny, component), openComponent(out, component)]);
      checkComponent(after);
      expect([...after.source.tensors.keys()].sort()).toEqual([...before.source.tensors.keys()].sort());
      let quantized = 0;
      for (const [name, entry] of after.source.tensors) {
        const old = before.source.tensors.get(name) as TensorEntry;
        if (entry.quantized === undefined) {
          expect(entry.dtype).toBe(old.dtype);
          expect(Buffer.compare(await after.source.readTensor(entry), await before.source.readTensor(old)), name).toBe(
            0,
          );
          continue;
        }
        quantized++;
        const [x, y] = [await before.source.readFloat32(old), await after.source.readFloat32(entry)];
        const error = Math.sqrt(x.reduce((s, v, i) => s + (v - y[i]!) ** 2, 0) / x.reduce((s, v) => s + v * v, 0));
        expect(error, name).toBeLessThan(to === 'int8' ? 0.012 : 0.12);
        expect(error, name).toBeGreaterThan(0);
      }
      expect(quantized).toBeGreaterThan(5);
      const bytes = [...after.source.tensors.values()].reduce(
        (n, e) => n + e.byteLength + (e.quantized?.scale.byteLength ?? 0),
        0,
      );
      expect(bytes).toBe(result.components.find((each) => each.component === component)!.bytes);
      await Promise.all([before.source.close(), after.source.close()]);
    }
    expect(existsSync(`${out}.partial`)).toBe(false);
    const report = await inspect(out);
    expect(report.complete).toBe(true);
    expect(report.totals.parameters).toBe((await inspect(tiny)).totals.parameters - (await leftBehind()));
    expect(report.totals.parametersByDtype[to]).toBeGreaterThan(1e6);
    const metadata = report.files.find(({ file }) => file.includes(stem))?.metadata;
    expect(metadata).toMatchObject({ quantization_version: '1', scheme: to, component: 'transformer' });
    expect(metadata?.source_sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  test('networks run on it and come close to the original', async () => {
    await quantize({ to });
    const limit = to === 'int8' ? 0.03 : 0.25;
    const velocities = [];
    const states = [];
    for (const directory of [tiny, out]) {
      const dit = await loadDit(directory, { device: 'cpu', threads: 1 });
      const [llm, clip] = dit.config.caption_channels as [number, number];
      const wave = (size: number) => Float32Array.from({ length: size }, (_, i) => Math.sin(i * 0.37));
      const shape = { frames: 1, channels: dit.config.in_channels, height: 2, width: 2 };
      const text = {
        llm: float32(wave(3 * llm), [1, 3, llm]),
        clip: float32(wave(2 * clip), [1, 2, clip]),
        lengths: [3],
      };
      velocities.push(await dit.velocity({ latents: wave(4 * shape.channels), batch: 1, shape, t: 0.4, text }));
      await dit.close();
      const encoders = await loadTextEncoders(directory, { device: 'cpu', threads: 1 });
      const tokens = { ids: Int32Array.of(5, 9, 3, 1), mask: Int32Array.of(1, 1, 1, 1), length: 4 };
      const encoded = await encoders.encode([{ llm: tokens, clip: tokens }]);
      states.push(encoded.llm.data as Float32Array, encoded.clip.data as Float32Array);
      await encoders.close();
    }
    const apart = (a: Float32Array, b: Float32Array) =>
      Math.sqrt(a.reduce((s, v, i) => s + (v - b[i]!) ** 2, 0) / a.reduce((s, v) => s + v * v, 0));
    for (const [a, b] of [velocities, [states[0], states[2]], [states[1], states[3]]] as [
      Float32Array,
      Float32Array,
    ][]) {
      expect(apart(a, b)).toBeLessThan(limit);
      expect(apart(a, b)).toBeGreaterThan(1e-4);
    }
  });
});

/** Parameters of the tiny CLIP's file that belong to no module: its pooler and head are left behind. */
async function leftBehind(): Promise<number> {
  const { skipped, files, source } = await openComponent(tiny, 'hunyuan_clip');
  const { tensors } = await openWeights(files[0] as string);
  await source.close();
  return skipped.reduce((n, name) => n + tensors.get(name)!.shape.reduce((a, b) => a * b, 1), 0);
}

test('the official transformer takes less than 18 GB in int4, and all three networks less than 30', async () => {
  const sizes: Record<string, number> = {};
  for (const component of QUANTIZED_COMPONENTS) {
    const manifest = JSON.parse(readFileSync(golden('manifests', `${component}.json`), 'utf8'));
    const entries = Object.entries<number[]>(manifest.tensors).map(([name, shape]) => {
      const size = 2 * shape.reduce((a, b) => a * b, 1);
      return {
        name: name.replace(/^bert\./, ''),
        dtype: 'BF16',
        shape,
        file: '',
        offset: 0,
        byteLength: size,
      } as const;
    });
    if (component === 'transformer') expect(entries).toHaveLength(expectedTransformer(official).size);
    sizes[component] = quantizedBytes(entries, { component, form: QUANTIZED_FORMS.int4 });
  }
  expect(sizes.transformer).toBeGreaterThan(16e9);
  expect(sizes.transformer).toBeLessThan(17.2e9);
  expect(sizes.transformer! + sizes.step_llm! + sizes.hunyuan_clip!).toBeLessThan(30e9);
});

const official = {
  num_attention_heads: 48,
  attention_head_dim: 128,
  num_layers: 48,
  in_channels: 64,
  out_channels: 64,
  patch_size: 1,
  caption_channels: [6144, 1024] as [number, number],
  norm_eps: 1e-6,
  norm_elementwise_affine: false as const,
  use_additional_conditions: false as const,
};

test('in shards: same values, an index, and the sizes that were foretold', async () => {
  await quantize();
  const whole = await openComponent(out, 'transformer');
  const sharded = join(folder, 'sharded');
  await quantize({ out: sharded, shardBytes });
  const parts = await openComponent(sharded, 'transformer');
  checkComponent(parts);
  expect(parts.files.length).toBeGreaterThan(2);
  for (const [name, entry] of whole.source.tensors)
    expect(await floatBytes(parts.source, name), entry.name).toBe(await floatBytes(whole.source, name));
  await Promise.all([whole.source.close(), parts.source.close()]);
  const index = JSON.parse(
    readFileSync(join(componentFolder(sharded, 'transformer'), `${stem}.safetensors.index.json`), 'utf8'),
  );
  const [size] = await quantizedSizes(tiny, 'int4');
  expect(index.metadata.total_size).toBe(size!.bytes);
});

describe('what was done is kept', () => {
  const program = fileURLToPath(new URL('quantize-slowly.ts', import.meta.url));

  test('a killed run goes on where it was, and gives the same files', async () => {
    await quantize({ out: join(folder, 'at-once'), shardBytes });
    const child = spawn(process.execPath, ['--import', 'tsx', program, tiny, out, String(shardBytes)], {
      stdio: 'ignore',
    });
    const second = join(`${out}.partial`, 'transformer', `${stem}-00002-of-0000`);
    const isThere = () =>
      existsSync(join(second, '..')) &&
      readdirSync(join(second, '..')).some(
        (name) => join(second, '..', name).startsWith(second) && name.endsWith('.safetensors'),
      );
    while (!isThere() && child.exitCode === null) await setTimeout(5);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(child.signalCode).toBe('SIGKILL');
    expect(existsSync(out)).toBe(false);
    await expect(openComponent(`${out}.partial`, 'transformer')).rejects.toThrow(/must have one of|must lie beside/);
    const { components } = await quantize({ shardBytes });
    expect(components[0]!.kept).toBeGreaterThanOrEqual(2);
    expect(components[1]!.kept).toBe(0);
    expect(weightBytes(out)).toEqual(weightBytes(join(folder, 'at-once')));
    expect(readdirSync(out, { recursive: true }).filter((name) => String(name).endsWith('.tmp'))).toEqual([]);
  });

  test('a shard that was cut, or made of other bytes or by another scheme, is made again', async () => {
    await quantize({ shardBytes });
    const expected = weightBytes(out);
    renameSync(out, `${out}.partial`);
    const transformer = join(`${out}.partial`, 'transformer');
    const [first, second, third] = readdirSync(transformer)
      .filter((name) => name.endsWith('.safetensors'))
      .sort() as [string, string, string];
    truncateSync(join(transformer, first), 1000);
    const bytes = readFileSync(join(transformer, second));
    const at = bytes.indexOf('"source_sha256":"') + 17;
    bytes.write(bytes[at] === 48 ? '1' : '0', at);
    writeFileSync(join(transformer, second), bytes);
    cpSync(join(transformer, second), join(transformer, third));
    writeFileSync(join(transformer, `${stem}.safetensors`), 'left by a run that cut otherwise');
    const { components } = await quantize({ shardBytes });
    expect(components[0]!.kept).toBe(
      readdirSync(join(out, 'transformer')).filter((n) => n.endsWith('.safetensors')).length - 3,
    );
    expect(weightBytes(out)).toEqual(expected);
  });

  test('a signal stops between rows and leaves nothing that looks whole', async () => {
    const stop = new AbortController();
    const stopped = quantize({ shardBytes, signal: stop.signal, onProgress: () => stop.abort() });
    await expect(stopped).rejects.toMatchObject({ kind: 'aborted' });
    expect(existsSync(out)).toBe(false);
    expect(Object.keys(weightBytes(`${out}.partial`)).filter((name) => name.includes('transformer'))).toEqual([]);
    expect((await quantize({ shardBytes })).components).toHaveLength(3);
  });
});

describe('bad input', () => {
  test('an output that exists, a source that is quantized, a directory without networks', async () => {
    await quantize();
    await expect(quantize()).rejects.toThrow(`quantize: the output must be a new directory, got ${out}`);
    const again = quantizeCheckpoint(out, { to: 'int8', out: join(folder, 'again') });
    await expect(again).rejects.toThrow(/the source must not be quantized itself, got int4 in .* \(try the original/);
    mkdirSync(join(folder, 'empty'));
    await expect(quantizeCheckpoint(join(folder, 'empty'), { to: 'int8' })).rejects.toMatchObject({ kind: 'input' });
    expect(existsSync(join(folder, 'again.partial'))).toBe(false);
  });

  test('a quantized file of another model is refused by name and shape', async () => {
    await quantize();
    const file = join(out, 'transformer/config.json');
    const config = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ ...config, num_attention_heads: config.num_attention_heads * 2 }));
    await expect(loadDit(out, { device: 'cpu' })).rejects.toThrow(
      /misshapen \(pos_embed\.proj\.weight \[256, 2, 1, 1\] instead of \[512, .*\(try the config\.json that came with/,
    );
    const { components } = await inspect(out);
    expect(components.find(({ component }) => component === 'transformer')?.match?.misshapen).toContainEqual({
      name: 'transformer_blocks.0.attn1.wqkv.weight',
      file: join(out, `transformer/${stem}.safetensors`),
      expected: [1536, 512],
      found: [768, 256],
    });
    cpSync(join(out, `transformer/${stem}.safetensors`), join(out, 'step_llm/model.safetensors'));
    await expect(loadTextEncoders(out, { device: 'cpu' })).rejects.toThrow(/missing .*left over/);
  });

  test('a quantized file cut short, of another version, or with half of a weight', async () => {
    await quantize();
    const path = join(out, `transformer/${stem}.safetensors`);
    truncateSync(path, statSync(path).size - 100);
    await expect(openComponent(out, 'transformer')).rejects.toThrow(/cut short/);
    const metadata = {
      quantization_version: '1',
      scheme: 'int4',
      bits: '4',
      block: '64',
      component: 'x',
      source_sha256: '',
    };
    const codes = { name: 'w', dtype: 'U8', shape: [2, 1, 32], data: new Uint8Array(64) } as const;
    const scale = { name: 'w.scale', dtype: 'F32', shape: [2, 1], data: new Float32Array(2) } as const;
    const odd = join(folder, 'odd.safetensors');
    const opened = async (tensors: Parameters<typeof writeSafetensors>[1], changed: object = {}) => {
      await writeSafetensors(odd, tensors, { ...metadata, ...changed });
      return openWeights(odd);
    };
    expect((await opened([codes, scale])).tensors.get('w')?.shape).toEqual([2, 64]);
    expect((await opened([codes, scale], { columns: '{"w":40}' })).tensors.get('w')?.shape).toEqual([2, 40]);
    await expect(opened([codes, scale], { quantization_version: '2' })).rejects.toThrow(
      /metadata quantization_version must be one that this version knows, got 2 \(try step-video quantize/,
    );
    await expect(opened([codes, scale], { bits: '8' })).rejects.toThrow(/bits and block must be those of int4/);
    await expect(opened([codes, scale], { block: '48' })).rejects.toThrow(/power of two/);
    await expect(opened([codes, scale], { columns: '{"w":80}' })).rejects.toThrow(/must be U8 \[2, 2, 32\]/);
    await expect(opened([codes, scale], { columns: 'w' })).rejects.toThrow(/JSON object of whole numbers/);
    await expect(opened([codes])).rejects.toThrow(/w must have its codes and scales/);
    await expect(opened([scale])).rejects.toThrow(/w\.scale must have its codes and scales/);
  });

  test('a weight that is not finite', async () => {
    const copy = join(folder, 'copy');
    cpSync(tiny, copy, { recursive: true });
    const { tensors, path } = await openWeights(join(copy, `transformer/${stem}.safetensors.index.json`));
    expect(path).toContain('index');
    const entry = tensors.get('transformer_blocks.0.attn1.wo.weight')!;
    const bytes = readFileSync(entry.file);
    bytes.writeUInt16LE(0x7fc0, entry.offset + 10);
    writeFileSync(entry.file, bytes);
    await expect(quantizeCheckpoint(copy, { to: 'int8', out })).rejects.toThrow(
      /weights of transformer_blocks\.0\.attn1\.wo\.weight must be finite, got NaN/,
    );
    expect(existsSync(out)).toBe(false);
  });

  test('a disk without room is found before work', async () => {
    // Sparse: takes no room where it lies, and none is there for what it becomes.
    const [copy, file] = [join(folder, 'copy'), join(folder, 'copy', 'more.bin')];
    cpSync(tiny, copy, { recursive: true });
    writeFileSync(join(copy, 'more.txt'), '');
    truncateSync(join(copy, 'more.txt'), 15e12);
    await expect(quantizeCheckpoint(copy, { to: 'int4', out })).rejects.toThrow(
      /must have 15000\.\d+ GB free, got .* \(try freeing disk space, or --out on another disk\)/,
    );
    expect(existsSync(file)).toBe(false);
    expect(existsSync(out)).toBe(false);
  });

  test('a disk that is full in the middle', async () => {
    // A limit of 400 kB a file stands for it: the system refuses the same writes.
    const program = fileURLToPath(new URL('quantize-slowly.ts', import.meta.url));
    const script = `ulimit -f 400; exec "$0" --import tsx ${program} ${tiny} ${out} 5000000`;
    const child = spawn('bash', ['-c', script, process.execPath], { stdio: ['ignore', 'ignore', 'pipe'] });
    let text = '';
    child.stderr.on('data', (chunk) => {
      text += chunk;
    });
    const [code] = await once(child, 'close');
    expect(code).toBe(1);
    expect(text).toMatch(/write .*diffusion_pytorch_model\.safetensors: the file must be writable, got E(FBIG|NOSPC)/);
    expect(existsSync(out)).toBe(false);
    expect(readdirSync(join(`${out}.partial`, 'transformer')).filter((name) => name.includes('safetensors'))).toEqual(
      [],
    );
  });
});
