/** Programs: values flow by name through segments and host actions; cancelling, progress, errors, profile. */
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { StepVideoError } from '../../src/errors.ts';
import { profileTable } from '../../src/runtime/profile.ts';
import { program } from '../../src/runtime/program.ts';
import { openSessions } from '../../src/runtime/session-cache.ts';
import { float32, floats } from '../../src/runtime/value.ts';
import { add, constant, input, matmul, mul, parameter, reshape, sub } from '../../src/tensor/index.ts';

const cpu = { device: 'cpu', threads: 1 } as const;
const vector = (...v: number[]) => float32(Float32Array.from(v), [v.length]);
const x = input('x', [2]);

/** x → double = 2x → (host) shifted = double + 1 → y = shifted · x. */
const chain = () =>
  program(['x'])
    .graph('doubling', { double: mul(x, 2) })
    .host('shifting', { reads: ['double'], adds: ['shifted'] }, ({ double }) => ({
      shifted: float32(
        floats(double).map((v) => v + 1),
        [2],
      ),
    }))
    .graph('product', { y: mul(input('shifted', [2]), x) });

test('values flow by name through graphs and host actions, with progress', async () => {
  const compiled = await chain().compile(cpu);
  const steps: string[] = [];
  const result = await compiled.run(
    { x: vector(1, 2) },
    {
      returns: ['y', 'double'],
      onProgress: ({ name, step, of, seconds }) => steps.push(`${name} ${step}/${of} ${seconds >= 0}`),
    },
  );
  expect([...floats(result.y)]).toEqual([3, 10]);
  expect([...floats(result.double)]).toEqual([2, 4]);
  expect(Object.keys(result)).toEqual(['y', 'double']);
  expect(steps).toEqual(['doubling 1/3 true', 'shifting 2/3 true', 'product 3/3 true']);
  await compiled.dispose();
  expect(openSessions()).toBe(0);
});

test('a signal stops it between steps', async () => {
  const controller = new AbortController();
  const compiled = await program(['x'])
    .graph('first', { a: add(x, 1) })
    .host('stop', { reads: ['a'] }, (_, { signal }) => {
      expect(signal).toBe(controller.signal);
      controller.abort();
      return {};
    })
    .graph('never', { b: add(input('a', [2]), 1) })
    .compile(cpu);
  const run = compiled.run({ x: vector(1, 2) }, { returns: ['b'], signal: controller.signal });
  await expect(run).rejects.toMatchObject({ kind: 'aborted', message: 'never: stopped before step 3 of 3' });
  await compiled.dispose();
});

test('errors name the step and keep their kind', async () => {
  const failing = await program(['x'])
    .host('reading', { reads: ['x'] }, () => {
      throw new StepVideoError('data', 'read', 'file must exist', 'a.bin');
    })
    .compile(cpu);
  await expect(failing.run({ x: vector(0, 0) }, { returns: [] })).rejects.toMatchObject({
    kind: 'data',
    message: 'reading: read: file must exist, got a.bin',
  });
  const compiled = await chain().compile(cpu);
  await expect(compiled.run({ x: vector(1) }, { returns: ['y'] })).rejects.toThrow(
    'doubling: internal: run: x must be float32[2], got float32[1]',
  );
  await compiled.dispose();
});

test('what cannot flow is refused before any run', async () => {
  const unknown = program<'x' | 'z'>(['x']).graph('sum', { y: add(x, input('z', [2])) });
  await expect(unknown.compile(cpu)).rejects.toThrow('sum: value z must be fed or come from an earlier step, got x');
  const misshapen = program(['x'])
    .graph('one', { a: reshape(x, [2, 1]) })
    .graph('two', { b: input('a', [2]) });
  await expect(misshapen.compile(cpu)).rejects.toThrow('two: value a must be float32[2], got float32[2, 1]');
  expect(openSessions()).toBe(0);
});

test('a segment writes an update into the buffer that it read, equal to the update out of place', async () => {
  const [w, g] = [input('w', [1000]), input('g', [1000])];
  const next = sub(mul(w, 0.99), mul(g, 0.1));
  const inPlace = await program(['w', 'g'])
    .graph('update', { next }, { into: { next: 'w' } })
    .compile(cpu);
  const outOfPlace = await program(['w', 'g']).graph('update', { next }).compile(cpu);
  const values = () => ({
    w: float32(
      Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i)),
      [1000],
    ),
    g: float32(
      Float32Array.from({ length: 1000 }, (_, i) => Math.cos(i)),
      [1000],
    ),
  });
  const [a, b] = [values(), values()];
  const updated = await inPlace.run(a, { returns: ['next'] });
  const expected = await outOfPlace.run(b, { returns: ['next'] });
  expect(updated.next.data).toBe(a.w.data);
  expect(floats(a.w)).toEqual(floats(expected.next));
  expect(floats(b.w)).toEqual(floats(values().w));
  await Promise.all([inPlace.dispose(), outOfPlace.dispose()]);
});

test('a segment that lives for one run holds no session between runs', async () => {
  const w = parameter('w', [2, 2]);
  const weights = () => ({ dtype: 'float32', bytes: new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer) }) as const;
  const compiled = await program(['x'])
    .graph('block', { y: matmul(reshape(x, [1, 2]), w) }, { weights, lifetime: 'run' })
    .compile(cpu);
  for (let i = 0; i < 2; i++) {
    expect(openSessions()).toBe(0);
    const { y } = await compiled.run({ x: vector(1, 10) }, { returns: ['y'] });
    expect([...floats(y)]).toEqual([31, 42]);
  }
  expect(openSessions()).toBe(0);
  expect((await compiled.profile())[0]).toMatchObject({ name: 'block', runs: 2, flops: 2 * 2 * 4 });
  await compiled.dispose();
});

test('the profile tells time, arithmetic and traffic by segment and kernel', async () => {
  const size = 64;
  const [a, b] = [input('a', [size, size]), input('b', [size, size])];
  const bias = constant(new Float32Array(size).fill(1), [size]);
  const traces = () => readdirSync(tmpdir()).filter((name) => name.startsWith('step-video-trace-')).length;
  const before = traces();
  const compiled = await program(['a', 'b'])
    .graph('product', { c: add(matmul(a, b), bias) })
    .host('rest', { reads: ['c'] }, () => ({}))
    .compile({ ...cpu, profile: true });
  const matrix = float32(new Float32Array(size * size), [size, size]);
  for (let i = 0; i < 3; i++) await compiled.run({ a: matrix, b: matrix }, { returns: ['c'] });
  const profile = await compiled.profile();
  const [product, rest] = profile;
  const flops = 3 * (2 * size ** 3 + size ** 2);
  expect(product).toMatchObject({ name: 'product', runs: 3, flops });
  expect(product!.bytes).toBe(3 * 4 * (5 * size ** 2 + size));
  expect(rest).toMatchObject({ name: 'rest', runs: 3, flops: 0, ops: [] });
  const gemm = product!.ops.find((op) => op.op === 'Gemm' || op.op === 'MatMul')!;
  expect(gemm).toMatchObject({ calls: 3, provider: 'CPUExecutionProvider', flops: 3 * 2 * size ** 3 });
  expect(gemm.seconds).toBeGreaterThan(0);
  expect(product!.seconds).toBeGreaterThan(product!.ops.reduce((s, op) => s + op.seconds, 0) * 0.5);
  const table = profileTable(profile).split('\n');
  expect(table[0]).toMatch(/^segment \/ op +runs +ms +GFLOP +GFLOP\/s +GB +GB\/s$/);
  expect(table).toHaveLength(1 + 2 + product!.ops.length);
  expect(new Set(table.map((line) => line.length)).size).toBe(1);
  await compiled.dispose();
  expect(traces()).toBe(before);
});
