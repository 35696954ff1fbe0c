/** What segments write lies in one piece of memory, and a tile begins without what another left there. */
import { expect, it } from 'vitest';
import type { Executable } from '../../src/runtime/compile.ts';
import { floats, type Value, type Values, zeros } from '../../src/runtime/value.ts';
import { input } from '../../src/tensor/index.ts';
import { runTail, type SegmentMemory, segmentMemory } from '../../src/vae/tiled-tail.ts';

const segment = (...lengths: number[]) => ({
  y: input('y', [1]),
  ...Object.fromEntries(lengths.map((length, i) => [`past.${i}`, input(`p${i}`, [1, length])])),
});

it('takes no more than the segment that remembers most', () => {
  const [small, large] = segmentMemory([segment(2, 3), segment(4, 1, 5)]) as [SegmentMemory, SegmentMemory];
  expect(Object.entries(large.pasts).map(([name, { shape }]) => [name, ...shape])).toEqual([
    ['past.0', 1, 4],
    ['past.1', 1, 1],
    ['past.2', 1, 5],
  ]);
  const all = ({ y, pasts }: SegmentMemory) => [y, ...Object.values(pasts)].map(floats);
  const arrays = [...all(small), ...all(large)];
  expect(new Set(arrays.map(({ buffer }) => buffer)).size).toBe(1);
  expect(arrays[0]!.buffer.byteLength).toBe(4 * 11);
  // Those of one segment lie side by side.
  expect(all(large).map(({ byteOffset }) => byteOffset)).toEqual([0, 4, 20, 24]);
});

it('carries what is remembered from slab to slab, and nothing from tile to tile', async () => {
  const [memory] = segmentMemory([segment(1)]) as [SegmentMemory];
  // Counts slabs in what it remembers.
  const counting = {
    async run(feeds: Values, into: Record<string, Value>) {
      const seen = floats(feeds['past.0'])[0]!;
      floats(into['past.0'])[0] = seen + 1;
      floats(into['y'])[0] = seen;
      return into;
    },
  } as unknown as Executable;
  const tile = { rows: { from: 0, to: 2 }, columns: { from: 0, to: 2 } };
  const features = zeros([1, 3, 1, 2, 2]);
  for (let turn = 0; turn < 2; turn++) {
    const seen: number[] = [];
    for await (const { y } of runTail(counting, memory, { features, slab: 1, tile })) seen.push(floats(y)[0]!);
    expect(seen).toEqual([0, 1, 2]);
  }
});
