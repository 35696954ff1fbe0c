/** What segments remember between pieces lies in one piece of memory, and a tile begins without what another left there. */
import { expect, it } from 'vitest';
import type { Executable } from '../../src/runtime/compile.ts';
import { float32, floats, type Value, type Values, zeros } from '../../src/runtime/value.ts';
import { input } from '../../src/tensor/index.ts';
import { remembered, runTail } from '../../src/vae/tiled-tail.ts';

const segment = (...lengths: number[]) => ({
  y: input('y', [1]),
  ...Object.fromEntries(lengths.map((length, i) => [`past.${i}`, input(`p${i}`, [1, length])])),
});

it('takes no more than the segment that remembers most', () => {
  const [small, large] = remembered([segment(2, 3), segment(4, 1, 5)]) as [Values, Values];
  expect(Object.entries(large).map(([name, { shape }]) => [name, ...shape])).toEqual([
    ['past.0', 1, 4],
    ['past.1', 1, 1],
    ['past.2', 1, 5],
  ]);
  const arrays = [...Object.values(small), ...Object.values(large)].map(floats);
  expect(new Set(arrays.map(({ buffer }) => buffer)).size).toBe(1);
  expect(arrays[0]!.buffer.byteLength).toBe(4 * 10);
  // Those of one segment lie side by side.
  expect(Object.values(large).map((value) => floats(value).byteOffset)).toEqual([0, 16, 20]);
});

it('carries what is remembered from slab to slab, and nothing from tile to tile', async () => {
  const [pasts] = remembered([segment(1)]) as [Values];
  // Counts slabs in what it remembers.
  const counting = {
    async run(feeds: Values, into: Record<string, Value>) {
      const seen = floats(feeds['past.0'])[0]!;
      floats(into['past.0'])[0] = seen + 1;
      return { y: float32(Float32Array.of(seen), [1]), ...into };
    },
  } as unknown as Executable;
  const tile = { rows: { from: 0, to: 2 }, columns: { from: 0, to: 2 } };
  const features = zeros([1, 3, 1, 2, 2]);
  for (let turn = 0; turn < 2; turn++) {
    const seen: number[] = [];
    for await (const { y } of runTail(counting, pasts, { features, slab: 1, tile })) seen.push(floats(y)[0]!);
    expect(seen).toEqual([0, 1, 2]);
  }
});
