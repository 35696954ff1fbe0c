import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StepVideoError } from '../../src/errors.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { openTorchBin } from '../../src/weights/torch-bin.ts';
import { golden, temporaryFolder, writeBytes } from './temporary.ts';

const folder = temporaryFolder();

describe('recorded torch files', () => {
  it.each([
    ['odd.bin', 'torch zip'],
    ['odd_legacy.bin', 'torch legacy stream'],
    ['odd_nested.bin', 'torch zip'],
  ])('%s equals odd.safetensors: shared storage, strides, offsets, dtypes, parameters', async (name, format) => {
    const expected = await openSafetensors(golden('pickles/odd.safetensors'));
    const actual = await openTorchBin(golden('pickles', name));
    expect(actual.format).toBe(format);
    expect([...actual.tensors.keys()].sort()).toEqual([...expected.tensors.keys()].sort());
    for (const want of expected.tensors.values()) {
      const got = actual.tensors.get(want.name);
      if (got === undefined) expect.fail(want.name);
      expect(got).toMatchObject({ dtype: want.dtype, shape: want.shape, byteLength: want.byteLength });
      expect(Buffer.compare(await actual.readTensor(got), await expected.readTensor(want)), want.name).toBe(0);
      expect(await actual.readFloat32(got)).toEqual(await expected.readFloat32(want));
    }
    await Promise.all([expected.close(), actual.close()]);
  });

  it('legacy.bin equals the same tensors of the zip checkpoint', async () => {
    const legacy = await openTorchBin(golden('pickles/legacy.bin'));
    const zip = await openTorchBin(golden('checkpoint/hunyuan_clip/clip_text_encoder/pytorch_model.bin'));
    expect(legacy.tensors.size).toBe(26);
    for (const entry of legacy.tensors.values()) {
      const same = zip.tensors.get(entry.name);
      if (same === undefined) expect.fail(entry.name);
      expect(Buffer.compare(await legacy.readTensor(entry), await zip.readTensor(same)), entry.name).toBe(0);
    }
    await Promise.all([legacy.close(), zip.close()]);
  });
});

describe('malicious pickles', () => {
  // The payload is a shell command that creates this file in the working folder.
  const home = process.cwd();
  const empty = join(folder, 'working');
  beforeEach(() => {
    mkdirSync(empty, { recursive: true });
  });
  afterEach(() => {
    for (const place of [home, empty]) expect(existsSync(join(place, 'pickle-was-executed'))).toBe(false);
  });

  it.each(['malicious_zip.bin', 'malicious_legacy.bin', 'malicious_plain.bin'])(
    '%s is refused by name and not run',
    async (name) => {
      const path = golden('pickles', name);
      const error = await openTorchBin(path).catch((e) => e);
      expect(error).toMatchObject({ name: 'StepVideoError', kind: 'checkpoint', got: 'posix.system' });
      expect(error.message).toContain(path);
      expect(error.message).toContain('safetensors');
    },
  );
});

/** The pickles that open a legacy stream, then `main` and the list of storage keys, then storage bytes. */
const magic = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex');
const version = Buffer.from('80024de9032e', 'hex');
const system = Buffer.from('80027d580d0000006c6974746c655f656e6469616e88732e', 'hex');
const text = (s: string) => `X${String.fromCharCode(s.length)}\0\0\0${s}`;
const legacy = (main: string, keys: string[] = [], storages: Buffer = Buffer.alloc(0)) =>
  Buffer.concat([
    magic,
    version,
    system,
    latin(`\x80\x02${main}.`),
    latin(`\x80\x02](${keys.map(text).join('')}e.`),
    storages,
  ]);
const latin = (s: string) => Buffer.from(s, 'latin1');

const number = (n: number) => `K${String.fromCharCode(n)}`;
const storage = (type: string, key: string, length: number) =>
  `(${text('storage')}ctorch\n${type}\n${text(key)}${text('cpu')}${number(length)}NtQ`;
const tensor = (where: string, offset: number, shape: number[], strides: number[]) =>
  `ctorch._utils\n_rebuild_tensor_v2\n(${where}${number(offset)}(${shape.map(number).join('')}t(${strides.map(number).join('')}t\x89}tR`;
const stored = (length: number, bytes: number) => {
  const out = Buffer.alloc(8 + bytes, 1);
  out.writeBigInt64LE(BigInt(length), 0);
  return out;
};
const dict = (...items: string[]) => `}(${items.join('')}u`;

describe('hand-made streams', () => {
  const open = (bytes: Buffer) => openTorchBin(writeBytes(folder, bytes, '.bin'));

  it('reads a plain one, so that the refusals below are not about the frame', async () => {
    const main = dict(text('w'), tensor(storage('CharStorage', '7', 6), 1, [2, 2], [1, 2]));
    const bytes = stored(6, 6);
    bytes.set([0, 1, 2, 3, 4, 5], 8);
    const file = await open(legacy(main, ['7'], bytes));
    const entry = file.tensors.get('w');
    if (entry === undefined) expect.fail('w');
    expect([...(await file.readFloat32(entry))]).toEqual([1, 3, 2, 4]);
    await file.close();
  });

  it('reads a state dict with _metadata, and a broadcast view', async () => {
    const ordered = `ccollections\nOrderedDict\n)R(${text('w')}${tensor(storage('FloatStorage', '7', 2), 1, [3], [0])}u${dict(text('_metadata'), 'ccollections\nOrderedDict\n)R')}b`;
    const bytes = stored(2, 8);
    bytes.writeFloatLE(2.5, 12);
    const file = await open(legacy(ordered, ['7'], bytes));
    const entry = file.tensors.get('w');
    if (entry === undefined) expect.fail('w');
    expect([...(await file.readFloat32(entry))]).toEqual([2.5, 2.5, 2.5]);
    await file.close();
  });

  const one = tensor(storage('FloatStorage', '7', 1), 0, [1], [1]);
  it.each<[string, Buffer, RegExp]>([
    ['builtins.eval', legacy('cbuiltins\neval\n(X\x01\0\0\0' + '1tR'), /got builtins\.eval/],
    ['a global never called', legacy('cos\nremove\n'), /got os\.remove/],
    ['a global by the stack', legacy(`${text('os')}${text('system')}\x93`), /got os\.system/],
    ['a method of an allowed module', legacy('ctorch\nload\n'), /got torch\.load/],
    ['a look-alike of the prototype', legacy('c__proto__\nconstructor\n'), /got __proto__\.constructor/],
    ['a storage type called', legacy('ctorch\nFloatStorage\n)R'), /this name cannot be called, got torch FloatStorage/],
    ['data called', legacy('K\x01)R'), /may call nothing but known names/],
    ['the INST opcode', legacy('(ios\nsystem\n'), /plain data only .*got opcode 0x69/],
    ['the EXT1 opcode', legacy('\x82\x01'), /plain data only .*opcode 0x82/],
    ['state set on a tensor', legacy(dict(text('w'), `${one}}b`), ['7'], stored(1, 4)), /only a dict may have a state/],
    ['an empty stack', legacy('0'), /the stack ran empty/],
    ['a missing mark', legacy('t'), /a mark is missing/],
    ['an unset memo slot', legacy('h\x09'), /memo slot must be filled before use.*got 9/],
    ['two values', legacy('NN'), /must end with one value/],
    ['a list', legacy(']'), /must hold a dict of tensors/],
    ['an entry that is a number', legacy(dict(text('w'), 'K\x01')), /entry w must be a tensor, got number/],
    [
      'a tensor past its storage',
      legacy(dict(text('w'), tensor(storage('FloatStorage', '7', 4), 1, [2, 2], [2, 1])), ['7'], stored(4, 16)),
      /must lie inside its 4 elements, got shape \[2,2\]/,
    ],
    [
      'as many strides as dimensions',
      legacy(dict(text('w'), tensor(storage('FloatStorage', '7', 4), 0, [2, 2], [1])), ['7'], stored(4, 16)),
      /a shape and as many strides/,
    ],
    [
      'one storage of two types',
      legacy(dict(text('w'), one, text('v'), tensor(storage('IntStorage', '7', 1), 0, [1], [1])), ['7'], stored(1, 4)),
      /one type and length .*got F32 and I32/,
    ],
    ['a storage that is not listed', legacy(dict(text('w'), one)), /storage 7 must be in the file/],
    ['a listed storage that is not used', legacy('}', ['9'], stored(1, 4)), /every stored storage must be used, got 9/],
    [
      'a storage cut short',
      legacy(dict(text('w'), one), ['7'], stored(1, 3)),
      /storage 7 ends at byte \d+, which must lie in the file/,
    ],
    [
      'another length in the file',
      legacy(dict(text('w'), one), ['7'], stored(2, 4)),
      /storage 7 must have 1 elements, got 2/,
    ],
    [
      'bytes after the end',
      legacy(dict(text('w'), one), ['7'], stored(1, 5)),
      /must end at byte \d+, after its last storage, got 1 bytes more/,
    ],
    [
      'a pickle that is not of torch',
      Buffer.concat([latin('\x80\x02}.'), Buffer.alloc(8)]),
      /must start with the magic number/,
    ],
    ['another version', Buffer.concat([magic, latin('\x80\x02K\x07.')]), /must be of version 1001, got 7/],
    ['big-endian', Buffer.concat([magic, version, latin('\x80\x02}.')]), /must be little-endian/],
    ['text', latin('hello'), /must be a zip or a pickle/],
    ['nothing', Buffer.alloc(0), /must be a zip or a pickle/],
  ])('refuses %s', async (_, bytes, message) => {
    const error = await open(bytes).catch((e) => e);
    expect(error).toBeInstanceOf(StepVideoError);
    expect(error.kind).toBe('checkpoint');
    expect(error.message).toMatch(message);
  });

  it('refuses a missing file', async () => {
    await expect(openTorchBin(join(folder, 'none.bin'))).rejects.toThrow(/must exist/);
  });
});

describe('damaged files', () => {
  it.each(['odd.bin', 'odd_legacy.bin', 'malicious_zip.bin'])(
    '%s, cut or changed anywhere: opens or fails with a checkpoint error',
    async (name) => {
      const good = readFileSync(golden('pickles', name));
      const path = join(folder, `damaged-${name}`);
      const attempt = async (bytes: Uint8Array) => {
        writeFileSync(path, bytes);
        const result = await openTorchBin(path).catch((e) => e);
        if (!(result instanceof Error)) return 'opened';
        expect(result).toMatchObject({ name: 'StepVideoError', kind: 'checkpoint' });
        return 'refused';
      };
      for (let cut = 1; cut < good.length; cut += 37)
        expect(await attempt(good.subarray(0, good.length - cut))).toBe('refused');
      await fc.assert(
        fc.asyncProperty(fc.nat(good.length - 1), fc.nat(255), async (at, value) => {
          await attempt(good.map((b, i) => (i === at ? value : b)));
        }),
        { numRuns: 250 },
      );
    },
  );
});
