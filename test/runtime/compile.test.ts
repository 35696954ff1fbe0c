/** Compiled graphs: sharing of sessions, checked feeds, buffers given for outputs, and what is left after dispose. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compile } from '../../src/runtime/compile.ts';
import { openSessions } from '../../src/runtime/session-cache.ts';
import { float32, floats, zeros } from '../../src/runtime/value.ts';
import { add, cast, input, matmul, mul, parameter, sub, sum } from '../../src/tensor/index.ts';

const cpu = { device: 'cpu', threads: 1 } as const;
const bytesOf = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

test('equal graphs on equal weights and options share one session; the last user closes it', async () => {
  const build = (weight: number, device = cpu) =>
    compile(
      { y: mul(input('x', [1]), parameter('w', [1])) },
      { ...device, weights: () => ({ dtype: 'float32', bytes: bytesOf(weight) }) },
    );
  const [first, second] = await Promise.all([build(2), build(2)]);
  expect(openSessions()).toBe(1);
  const others = [await build(3), await build(2, { ...cpu, threads: 2 } as never)];
  expect(openSessions()).toBe(3);
  await first!.dispose();
  await first!.dispose();
  expect(openSessions()).toBe(3);
  const run = async (e: typeof first) => floats((await e.run({ x: float32(Float32Array.of(5), [1]) })).y)[0];
  expect(await run(second)).toBe(10);
  expect(await run(others[0]!)).toBe(15);
  await Promise.all([second, ...others].map((e) => e.dispose()));
  expect(openSessions()).toBe(0);
});

test('a graph that fails to open leaves nothing behind and may be tried again', async () => {
  const bad = { y: cast(cast(input('x', [1]), 'bfloat16'), 'uint8') };
  const attempt = () =>
    compile({ ...bad, z: matmul(cast(input('a', [1, 1]), 'bfloat16'), cast(input('b', [1, 1]), 'bfloat16')) }, cpu);
  await expect(attempt()).rejects.toThrow('internal: session: the model must load');
  expect(openSessions()).toBe(0);
  await expect(attempt()).rejects.toThrow('internal: session: the model must load');
});

test('feeds are checked by name, shape and dtype before the runtime sees them', async () => {
  const executable = await compile({ y: add(input('x', [2, 3]), 1) }, cpu);
  expect([...executable.inputs.keys()]).toEqual(['x']);
  await expect(executable.run({ z: zeros([2, 3]) })).rejects.toThrow('internal: run: input x must be fed, got z');
  await expect(executable.run({ x: zeros([3, 2]) })).rejects.toThrow('x must be float32[2, 3], got float32[3, 2]');
  await expect(executable.run({ x: zeros([2, 3], 'int32') })).rejects.toThrow(
    'x must be float32[2, 3], got int32[2, 3]',
  );
  await expect(executable.run({ x: zeros([2, 3]) }, { y: zeros([6]) })).rejects.toThrow(
    'into y must be float32[2, 3], got float32[6]',
  );
  await executable.dispose();
});

test('leaves, equal results and results without inputs can all be outputs', async () => {
  const x = input('x', [2]);
  const y = add(x, x);
  const executable = await compile(
    { x, y, again: y, fixed: sum(add(input('unused', []), 0)), one: add(mul(2, input('n', [])), 1) },
    cpu,
  );
  const result = await executable.run({
    x: float32(Float32Array.of(1, 2), [2]),
    unused: float32(Float32Array.of(7), []),
    n: float32(Float32Array.of(3), []),
  });
  expect(Object.fromEntries(Object.entries(result).map(([k, v]) => [k, [...(v.data as Float32Array)]]))).toEqual({
    x: [1, 2],
    y: [2, 4],
    again: [2, 4],
    fixed: [7],
    one: [7],
  });
  await executable.dispose();
});

test('an output buffer of the caller is filled and returned', async () => {
  const executable = await compile({ y: sub(input('x', [300]), mul(input('x', [300]), 0.25)) }, cpu);
  const x = float32(
    Float32Array.from({ length: 300 }, (_, i) => i / 50 - 3),
    [300],
  );
  const buffer = zeros([300]);
  const { y } = await executable.run({ x }, { y: buffer });
  const { y: fresh } = await executable.run({ x });
  expect(y).toBe(buffer);
  expect(y.data).toEqual(fresh.data);
  const inPlace = await executable.run({ x }, { y: x });
  expect(inPlace.y.data).toBe(x.data);
  expect(x.data).toEqual(fresh.data);
  await executable.dispose();
});

test('runs of one session may overlap', async () => {
  const executable = await compile({ y: sum(matmul(input('a', [40, 40]), input('b', [40, 40]))) }, cpu);
  const run = async (value: number) => {
    const a = float32(new Float32Array(1600).fill(value), [40, 40]);
    const { y } = await executable.run({ a, b: float32(new Float32Array(1600).fill(1), [40, 40]) });
    return floats(y)[0];
  };
  const results = await Promise.all(Array.from({ length: 16 }, (_, i) => run(i)));
  expect(results).toEqual(Array.from({ length: 16 }, (_, i) => 40 ** 3 * i));
  await executable.dispose();
});

test('200 sessions opened, run and disposed leave no memory behind', async () => {
  const cycle = async (i: number): Promise<void> => {
    const weights = () =>
      ({ dtype: 'float32', bytes: new Uint8Array(new Float32Array(256 * 256).fill(i).buffer) }) as const;
    const executable = await compile(
      { y: matmul(input('x', [64, 256]), parameter('w', [256, 256])) },
      { ...cpu, weights },
    );
    const { y } = await executable.run({ x: zeros([64, 256]) });
    expect(y.data).toHaveLength(64 * 256);
    await executable.dispose();
  };
  const resident = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) / 1024;
  for (let i = 0; i < 40; i++) await cycle(i);
  const before = process.platform === 'linux' ? resident() : 0;
  for (let i = 0; i < 200; i++) await cycle(40 + i);
  const grown = process.platform === 'linux' ? resident() - before : 0;
  expect(openSessions()).toBe(0);
  // Kept sessions would hold 200 · (256 KiB of weights, and as much packed) = 100 MiB beside their arenas.
  expect(grown).toBeLessThan(60);
});

test('options wider than those of a session neither reach its key nor split it', async () => {
  // A caller's own object may hold whole graphs; as part of a key they would be written out as text.
  const deep = Array.from({ length: 200 }).reduce((x: object) => ({ left: x, right: x }), {});
  const build = (extra: object) => compile({ y: add(input('x', [1]), 1) }, { ...cpu, ...extra });
  const both = [await build({}), await build({ deep })];
  expect(openSessions()).toBe(1);
  await Promise.all(both.map((e) => e.dispose()));
});

test('a result in given memory is not copied by the binding; one without is in memory of its own', async () => {
  const size = 2 ** 22;
  const executable = await compile({ y: add(input('x', [size]), 1) }, { ...cpu, memoryArena: false });
  const given = zeros([size]);
  await executable.run({ x: given }, { y: given });
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 3; i++) await executable.run({ x: given }, { y: given });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
  expect(floats(given)[size - 1]).toBe(4);
  const first = await executable.run({ x: given });
  const second = await executable.run({ x: first.y });
  expect([floats(first.y)[0], floats(second.y)[0]]).toEqual([5, 6]);
  await executable.dispose();
});
