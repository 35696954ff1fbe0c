/** The three ways of weights: read by the runtime out of their files, embedded, fed; and what they cost in memory. */
import { mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { toOnnx } from '../../src/onnx/model.ts';
import { compile } from '../../src/runtime/compile.ts';
import { float32, floats, type Values } from '../../src/runtime/value.ts';
import { planWeights, readFeeds, type StoredTensors } from '../../src/runtime/weight-plan.ts';
import { add, input, matmul, parameter, reshape, type Tensor, transposeLast } from '../../src/tensor/index.ts';
import { encodeFloat, openSafetensors, writeSafetensors } from '../../src/weights/safetensors.ts';
import { generator } from '../tensor/values.ts';
import { safetensorsBytes, temporaryFolder, writeBytes } from '../weights/temporary.ts';

const folder = temporaryFolder();
const cpu = { device: 'cpu', threads: 1 } as const;

/** A weight file, closed when the tests end. */
async function open(path: string) {
  const file = await openSafetensors(path);
  afterAll(() => file.close());
  return file;
}

const wave = (size: number, step: number) => Float32Array.from({ length: size }, (_, i) => Math.sin(i * step));
const x = float32(wave(8, 0.7), [2, 4]);

/** y = x · aᵀ + b + c, each weight in another storage type. */
function graph(): Record<'y', Tensor> {
  const [a, b, c] = [parameter('a', [3, 4]), parameter('b', [3]), parameter('c', [3])];
  return { y: add(add(matmul(input('x', [2, 4]), transposeLast(a)), b), c) };
}

async function run(source: StoredTensors, way: 'external' | 'embedded' | 'fed'): Promise<number[]> {
  const weights = way === 'fed' ? undefined : await planWeights(source, way);
  const executable = await compile(graph(), { ...cpu, weights });
  const feeds: Values = { x, ...(way === 'fed' && (await readFeeds(source))) };
  expect([...executable.inputs.keys()].sort()).toEqual(way === 'fed' ? ['a', 'b', 'c', 'x'] : ['x']);
  const { y } = await executable.run(feeds);
  await executable.dispose();
  return [...floats(y)];
}

async function writeMixed(path: string): Promise<void> {
  await writeSafetensors(path, [
    { name: 'a', dtype: 'BF16', shape: [3, 4], data: wave(12, 0.3) },
    { name: 'b', dtype: 'F16', shape: [3], data: wave(3, 1.1) },
    { name: 'c', dtype: 'F32', shape: [3], data: wave(3, 0.9) },
  ]);
}

describe('one file of float32, float16 and bfloat16', async () => {
  const path = join(folder, 'mixed.safetensors');
  await writeMixed(path);
  const source = await open(path);

  test.each(['external', 'embedded'] as const)('%s equals fed', async (way) => {
    const before = readdirSync(folder);
    expect(await run(source, way)).toEqual(await run(source, 'fed'));
    expect(readdirSync(folder)).toEqual(before);
  });

  test('external weights put no bytes of theirs into the model', async () => {
    const model = toOnnx(graph(), await planWeights(source, 'external'));
    expect(model.external).toEqual({ folder: dirname(path), files: [path] });
    expect(Buffer.from(model.bytes).includes(Buffer.from(encodeFloat(wave(12, 0.3), 'BF16')))).toBe(false);
    expect(model.decodes).toBe(true);
  });
});

test('external: files behind links and in several folders, and data that are not aligned', async () => {
  const [blobs, links] = [join(folder, 'blobs'), join(folder, 'snapshot', 'deep')];
  for (const made of [blobs, links]) mkdirSync(made, { recursive: true });
  const odd = writeBytes(
    blobs,
    safetensorsBytes(
      {
        mark: { dtype: 'U8', shape: [1], data_offsets: [0, 1] },
        a: { dtype: 'F32', shape: [3, 4], data_offsets: [1, 49] },
        b: { dtype: 'BF16', shape: [3], data_offsets: [49, 55] },
      },
      Buffer.concat([Buffer.of(7), encodeFloat(wave(12, 0.3), 'F32'), encodeFloat(wave(3, 1.1), 'BF16')]),
    ),
  );
  symlinkSync(odd, join(links, 'first.safetensors'));
  const second = join(folder, 'snapshot', 'second.safetensors');
  await writeSafetensors(second, [{ name: 'c', dtype: 'F32', shape: [3], data: wave(3, 0.9) }]);
  const parts = await Promise.all([join(links, 'first.safetensors'), second].map(open));
  const source: StoredTensors = {
    path: folder,
    tensors: new Map(parts.flatMap((p) => [...p.tensors]).filter(([name]) => name !== 'mark')),
    readTensor: parts[0]!.readTensor,
    readFloat32: parts[0]!.readFloat32,
  };
  expect(await run(source, 'external')).toEqual(await run(source, 'fed'));
});

test('a tensor with steps or of an unusual dtype is embedded in either way', async () => {
  const path = join(folder, 'whole.safetensors');
  const ints = new Uint8Array(Int32Array.of(4, 5, 6).buffer);
  await writeSafetensors(path, [
    { name: 'a', dtype: 'F32', shape: [3, 4], data: wave(12, 0.3) },
    { name: 'b', dtype: 'I32', shape: [3], data: ints },
    { name: 'c', dtype: 'F32', shape: [3], data: wave(3, 0.9) },
  ]);
  const source = await open(path);
  const plan = await planWeights(source, 'external');
  expect(plan('a')).toMatchObject({ file: path, length: 48 });
  expect(plan('b')).toMatchObject({ dtype: 'float32', bytes: new Uint8Array(Float32Array.of(4, 5, 6).buffer) });
  const a = source.tensors.get('a')!;
  const turned = { ...source, tensors: new Map([...source.tensors, ['a', { ...a, shape: [3, 4], strides: [1, 3] }]]) };
  const strided = (await planWeights(turned as StoredTensors, 'external'))('a')!;
  expect('bytes' in strided && new Float32Array(strided.bytes.buffer)[1]).toBe(wave(12, 0.3)[3]);
});

test('a weight of another size than its parameter is refused; so is a file that changed its place', async () => {
  const path = join(folder, 'small.safetensors');
  await writeMixed(path);
  const source = await open(path);
  const plan = await planWeights(source, 'external');
  const wrong = { y: reshape(parameter('a', [3, 5]), [15]) };
  await expect(compile(wrong, { ...cpu, weights: plan })).rejects.toThrow(
    'internal: toOnnx: a must have 30 bytes of bfloat16 in storage, got 24',
  );
  renameSync(path, `${path}.gone`);
  await expect(compile(graph(), { ...cpu, weights: plan })).rejects.toThrow(/ENOENT/);
  await expect(planWeights(source, 'external')).rejects.toThrow(/ENOENT/);
  await expect(readFeeds(source, ['d'])).rejects.toMatchObject({ kind: 'checkpoint' });
});

describe('16-bit weights', async () => {
  const [width, layers] = [1024, 6];
  const random = generator(5);
  const noise = Float32Array.from({ length: width * width + layers }, () => (random() - 0.5) / 9);
  const path = join(folder, 'large.safetensors');
  const tensors = Array.from({ length: layers }, (_, i) => ({
    name: `w${i}`,
    dtype: 'BF16' as const,
    shape: [width, width],
    data: noise.slice(i, i + width * width),
  }));
  await writeSafetensors(path, tensors);
  const source = await open(path);
  const weights = await planWeights(source, 'external');
  const megabytes = (key: string): number =>
    Number(new RegExp(`${key}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))![1]) / 1024;

  /** Private memory that an open session holds before its first run, and its result. */
  async function opened(keepStoredDtype: boolean | undefined): Promise<{ held: number; y: Float32Array }> {
    let y: Tensor = input('x', [1, width]);
    for (let i = 0; i < layers; i++) y = matmul(y, transposeLast(parameter(`w${i}`, [width, width])));
    const before = megabytes('RssAnon');
    const executable = await compile({ y }, { ...cpu, weights, keepStoredDtype });
    const held = megabytes('RssAnon') - before;
    const result = await executable.run({ x: float32(wave(width, 0.1), [1, width]) });
    await executable.dispose();
    return { held, y: floats(result.y) };
  }

  test('stay as stored unless asked to be decoded at load; results agree', async () => {
    const kept = await opened(undefined);
    const decoded = await opened(false);
    // 6 float32 matrices are 24 MiB; as stored they stay in the mapped file.
    expect(decoded.held).toBeGreaterThan(18);
    expect(kept.held).toBeLessThan(9);
    const scale = Math.max(...decoded.y.map(Math.abs));
    expect(scale).toBeGreaterThan(0.01);
    const apart = Math.max(...decoded.y.map((v, i) => Math.abs(v - kept.y[i]!)));
    expect(apart).toBeLessThan(1e-5 * scale);
  });
});
