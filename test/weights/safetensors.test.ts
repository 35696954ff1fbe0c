import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StepVideoError } from '../../src/errors.ts';
import { encodeFloat } from '../../src/weights/float-codec.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { type TensorToWrite, writeSafetensors } from '../../src/weights/safetensors-writer.ts';
import { type DType, dtypeBytes, elementCount } from '../../src/weights/tensor-entry.ts';
import { safetensorsBytes, temporaryFolder, writeBytes } from './temporary.ts';

const folder = temporaryFolder();

const f32 = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});
const data = (length: number) => new Uint8Array(length);

const dtypes = Object.keys(dtypeBytes) as DType[];
const anyShape = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 });
const anyTensor = fc.tuple(fc.constantFrom(...dtypes), anyShape).chain(([dtype, shape]) => {
  const length = elementCount(shape) * dtypeBytes[dtype];
  return fc.record({
    dtype: fc.constant(dtype),
    shape: fc.constant(shape),
    data: fc.uint8Array({ minLength: length, maxLength: length }),
  });
});
const anyName = fc.oneof(
  fc.string({ minLength: 1 }),
  fc.constantFrom('12', '3', '__proto__', 'a"b\\', '权重', 'constructor'),
);
const anyFile = fc.uniqueArray(fc.tuple(anyName, anyTensor), { selector: ([name]) => name, maxLength: 6 });

describe('round trip', () => {
  it('gives back names, types, shapes, bytes and metadata', async () => {
    const path = join(folder, 'round.safetensors');
    await fc.assert(
      fc.asyncProperty(anyFile, fc.dictionary(fc.string(), fc.string()), async (named, metadata) => {
        const tensors: TensorToWrite[] = named.map(([name, tensor]) => ({ name, ...tensor }));
        await writeSafetensors(path, tensors, metadata);
        const file = await openSafetensors(path);
        expect(file.tensors.size).toBe(tensors.length);
        expect({ ...file.metadata }).toEqual({ ...metadata });
        for (const { name, dtype, shape, data } of tensors) {
          const entry = file.tensors.get(name);
          if (entry === undefined) expect.fail(`no tensor ${name}`);
          expect(entry).toMatchObject({ name, dtype, shape, file: path, byteLength: data.byteLength });
          expect(entry.offset % dtypeBytes[dtype]).toBe(0);
          expect(Buffer.compare(await file.readTensor(entry), data as Uint8Array)).toBe(0);
        }
        await file.close();
      }),
      { numRuns: 120 },
    );
  });

  it('rounds float32 data to the type asked for and reads it back as float32', async () => {
    const path = join(folder, 'floats.safetensors');
    const data = Float32Array.of(1 / 3, -65504, 2 ** -24, 1e-40, 0, -0, Infinity, 3e38);
    const named = (['F32', 'F16', 'BF16', 'F64'] as const).map((dtype) => ({
      name: dtype,
      dtype,
      shape: [2, 4],
      data,
    }));
    await writeSafetensors(path, named);
    const file = await openSafetensors(path);
    for (const { dtype } of named) {
      const entry = file.tensors.get(dtype);
      if (entry === undefined) expect.fail(dtype);
      expect(Buffer.compare(await file.readTensor(entry), encodeFloat(data, dtype))).toBe(0);
      if (dtype === 'F32' || dtype === 'F64') expect(await file.readFloat32(entry)).toEqual(data);
    }
    await file.close();
    expect(statSync(path).size % 8).toBe(0);
  });

  it('reads many tensors at once through one handle, and again after close', async () => {
    const path = join(folder, 'many.safetensors');
    const tensors = Array.from({ length: 50 }, (_, i) => ({
      name: `t${i}`,
      dtype: 'F32' as const,
      shape: [3],
      data: Float32Array.of(i, i + 1, i + 2),
    }));
    await writeSafetensors(path, tensors);
    const file = await openSafetensors(path);
    for (let round = 0; round < 2; round++) {
      const read = await Promise.all([...file.tensors.values()].map((entry) => file.readFloat32(entry)));
      expect(read.map((t) => t[0]).sort((a, b) => (a as number) - (b as number))).toEqual(tensors.map((_, i) => i));
      await file.close();
    }
  });
});

describe('reading is lazy', () => {
  it('opens a file of 5 GB (sparse) at once and reads 8 bytes behind the 32-bit limit', async () => {
    const large = 5_000_000_000;
    const header = { big: { dtype: 'U8', shape: [large], data_offsets: [0, large] }, last: f32(large, large + 8) };
    const path = writeBytes(folder, safetensorsBytes(header, data(0)));
    const start = statSync(path).size;
    truncateSync(path, start + large + 8);
    const handle = await open(path, 'r+');
    await handle.write(new Uint8Array(Float32Array.of(1.5, -2).buffer), 0, 8, start + large);
    await handle.close();
    const before = process.memoryUsage().rss;
    const file = await openSafetensors(path);
    const entry = file.tensors.get('last');
    if (entry === undefined) expect.fail('last');
    expect(entry.offset).toBe(start + large);
    expect([...(await file.readFloat32(entry))]).toEqual([1.5, -2]);
    await file.close();
    expect(process.memoryUsage().rss - before).toBeLessThan(500e6);
  });
});

describe('writing is atomic', () => {
  it('leaves the old file and no temporary one when the data are wrong', async () => {
    const path = join(folder, 'kept.safetensors');
    await writeSafetensors(path, [{ name: 'a', dtype: 'F32', shape: [1], data: Float32Array.of(1) }]);
    const before = readFileSync(path);
    await expect(
      writeSafetensors(path, [{ name: 'a', dtype: 'F32', shape: [2], data: Float32Array.of(1) }]),
    ).rejects.toThrow(/a, F32 \[2\], must take 8 bytes, got 4/);
    const twice = { name: 'a', dtype: 'U8', shape: [0], data: new Uint8Array(0) } as const;
    await expect(writeSafetensors(path, [twice, twice])).rejects.toThrow(/name of its own, got a/);
    await expect(
      writeSafetensors(path, [{ name: 'i', dtype: 'I8', shape: [1], data: Float32Array.of(1) }]),
    ).rejects.toThrow(/encodeFloat/);
    expect(readFileSync(path)).toEqual(before);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('says so where the folder does not exist', async () => {
    const missing = join(folder, 'none', 'x.safetensors');
    await expect(writeSafetensors(missing, [])).rejects.toMatchObject({ kind: 'environment', op: `write ${missing}` });
  });
});

describe('bad files are refused before any data are read', () => {
  it.each<[string, Uint8Array, RegExp]>([
    ['an empty file', data(0), /starts with 8 bytes.*got 0 bytes/],
    ['5 bytes', data(5), /starts with 8 bytes.*got 5 bytes/],
    [
      'a header past the end',
      safetensorsBytes({}, data(0), 1000n),
      /claims 1000 bytes, which must fit in the file, got 10 bytes/,
    ],
    [
      'an absurd header length',
      safetensorsBytes({}, data(0), 1n << 62n),
      /may be at most 100000000 bytes, got 4611686018427387904/,
    ],
    ['broken JSON', safetensorsBytes('{"a":', data(0)), /must be valid JSON/],
    ['JSON that is not UTF-8', safetensorsBytes({}, data(0)).map((b, i) => (i === 8 ? 0xff : b)), /must be valid JSON/],
    ['an array for a header', safetensorsBytes([], data(0)), /must be a JSON object/],
    [
      'a name twice',
      safetensorsBytes(
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
        data(8),
      ),
      /must be unique, got a twice/,
    ],
    ['a tensor that is no object', safetensorsBytes({ a: 3 }, data(0)), /tensor a must be an object, got 3/],
    [
      'an unknown dtype',
      safetensorsBytes({ a: { ...f32(0, 4), dtype: 'F8_E4M3' } }, data(4)),
      /tensor a must have a dtype of .*got F8_E4M3/,
    ],
    [
      'a dtype from the prototype',
      safetensorsBytes({ a: { ...f32(0, 4), dtype: 'toString' } }, data(4)),
      /tensor a must have a dtype/,
    ],
    [
      'a negative dimension',
      safetensorsBytes({ a: f32(0, 4, [-1]) }, data(4)),
      /tensor a must have a shape of whole numbers, got \[-1\]/,
    ],
    ['a fractional dimension', safetensorsBytes({ a: f32(0, 4, [0.5]) }, data(4)), /shape of whole numbers/],
    ['offsets the wrong way round', safetensorsBytes({ a: f32(4, 0, [1]) }, data(4)), /data_offsets \[begin, end\]/],
    [
      'one offset',
      safetensorsBytes({ a: { ...f32(0, 4), data_offsets: [0] } }, data(4)),
      /data_offsets \[begin, end\]/,
    ],
    [
      'a shape that needs more',
      safetensorsBytes({ a: f32(0, 4, [2]) }, data(4)),
      /tensor a, F32 \[2\], must take 8 bytes, got data_offsets of 4 bytes/,
    ],
    [
      'a shape beyond all numbers',
      safetensorsBytes({ a: f32(0, 4, [2 ** 40, 2 ** 40]) }, data(4)),
      /tensor a, F32 .* must take/,
    ],
    [
      'an overlap',
      safetensorsBytes({ a: f32(0, 8), b: f32(4, 12) }, data(12)),
      /tensor b must start after tensor a ends, got an overlap of 4 bytes/,
    ],
    ['the same range twice', safetensorsBytes({ a: f32(0, 8), b: f32(0, 8) }, data(8)), /an overlap of 8 bytes/],
    [
      'a gap',
      safetensorsBytes({ a: f32(0, 4), b: f32(8, 12) }, data(12)),
      /tensor b must follow tensor a without a gap, got 4 bytes/,
    ],
    ['a gap in front', safetensorsBytes({ a: f32(4, 8) }, data(8)), /tensor a must follow the header without a gap/],
    [
      'data cut short',
      safetensorsBytes({ a: f32(0, 4), b: f32(4, 12) }, data(11)),
      /tensor b ends at byte \d+, which must lie in the file.*cut short/,
    ],
    [
      'bytes after the last tensor',
      safetensorsBytes({ a: f32(0, 4) }, data(7)),
      /must end with tensor a at byte \d+, got 3 bytes more/,
    ],
    [
      'metadata that is no text',
      safetensorsBytes({ __metadata__: { a: 1 } }, data(0)),
      /__metadata__ must map strings to strings/,
    ],
  ])('%s', async (_, bytes, message) => {
    const path = writeBytes(folder, bytes);
    const error = await openSafetensors(path).catch((e) => e);
    expect(error).toBeInstanceOf(StepVideoError);
    expect(error.kind).toBe('checkpoint');
    expect(error.message).toMatch(message);
    expect(error.message).toContain(path);
    expect(error.hint).toBeTruthy();
  });

  it('a missing file and a folder', async () => {
    await expect(openSafetensors(join(folder, 'nowhere.safetensors'))).rejects.toThrow(
      /must exist, got nothing there \(try/,
    );
    await expect(openSafetensors(folder)).rejects.toMatchObject({ kind: 'checkpoint' });
  });

  it('a file cut after it was opened, at the read', async () => {
    const path = writeBytes(folder, safetensorsBytes({ a: f32(0, 400) }, data(400)));
    const file = await openSafetensors(path);
    truncateSync(path, statSync(path).size - 1);
    const entry = file.tensors.get('a');
    if (entry === undefined) expect.fail('a');
    await expect(file.readTensor(entry)).rejects.toThrow(/tensor a needs bytes \d+ to \d+, got the end of the file/);
    await file.close();
  });

  it('any cut and any changed byte: opens or fails with a checkpoint error, never otherwise', async () => {
    const good = safetensorsBytes(
      { __metadata__: { k: 'v' }, a: f32(0, 8, [2, 1]), b: { dtype: 'I8', shape: [3], data_offsets: [8, 11] } },
      data(11),
    );
    const path = join(folder, 'fuzz.safetensors');
    const attempt = async (bytes: Uint8Array) => {
      writeFileSync(path, bytes);
      const result = await openSafetensors(path).catch((e) => e);
      if (result instanceof Error) expect(result).toMatchObject({ name: 'StepVideoError', kind: 'checkpoint' });
      return result instanceof Error;
    };
    expect(await attempt(good)).toBe(false);
    for (let length = 0; length < good.length; length++) expect(await attempt(good.subarray(0, length))).toBe(true);
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.nat(255), async (at, value) => {
        await attempt(good.map((b, i) => (i === at ? value : b)));
      }),
      { numRuns: 300 },
    );
  });
});
