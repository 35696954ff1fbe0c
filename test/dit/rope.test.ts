import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Grid, type RopeSplit, ropeConstants, ropeSplit, ropeTables, rotary } from '../../src/dit/rope.ts';
import { timestepSinusoid } from '../../src/dit/timestep.ts';
import { compare } from '../../src/parity/compare.ts';
import { openRecordedSet, type RecordedSet } from '../../src/parity/vectors.ts';
import { floats } from '../../src/runtime/value.ts';
import { evaluate, input, ndarray } from '../../src/tensor/index.ts';

let tables: RecordedSet;
beforeAll(async () => {
  tables = await openRecordedSet(new URL('../golden/parity', import.meta.url).pathname, 'tables');
});

const recordedTable = async (name: string) => floats(await tables.read(name));
const check = (name: string, computed: ArrayLike<number>, recorded: ArrayLike<number>) =>
  expect(compare(name, computed, recorded, { deviation: tables.deviation(name) })).toMatchObject({ ok: true });

/** Rotates x [1, heads, tokens, width] in the slow evaluator. */
function rotated(x: ArrayLike<number>, heads: number, grid: Grid, split: RopeSplit): Float64Array {
  const width = split[0] + split[1] + split[2];
  const shape = [1, heads, grid[0] * grid[1] * grid[2], width];
  const leaf = input('x', shape);
  return evaluate(
    [rotary(ropeConstants(grid, split), split)(leaf)],
    new Map([['x', ndarray(shape, 'float32', Float64Array.from(x))]]),
  )[0]!.data;
}

describe('rotary positions', () => {
  it('have the recorded cosines and sines', async () => {
    for (const [width, positions] of [
      [64, 40],
      [32, 64],
      [16, 16],
    ] as const) {
      const { cos, sin } = ropeTables([positions, 1, 1], [width, 0, 0]);
      check(`cos${width}`, cos, await recordedTable(`cos${width}`));
      check(`sin${width}`, sin, await recordedTable(`sin${width}`));
    }
  });

  it('rotate the recorded tokens', async () => {
    const { shape, data } = await tables.read('tokens');
    const [, count, heads, width] = shape as readonly [number, number, number, number];
    const at = (token: number, head: number, c: number): number => (token * heads + head) * width + c;
    const byHead = new Float32Array(data.length);
    for (let t = 0; t < count; t++)
      for (let h = 0; h < heads; h++)
        for (let c = 0; c < width; c++) byHead[(h * count + t) * width + c] = Number(data[at(t, h, c)]);
    const out = rotated(byHead, heads, [2, 3, 2], [64, 32, 32]);
    const back = new Float32Array(data.length);
    for (let t = 0; t < count; t++)
      for (let h = 0; h < heads; h++)
        for (let c = 0; c < width; c++) back[at(t, h, c)] = out[(h * count + t) * width + c]!;
    check('rotated', back, await recordedTable('rotated'));
  });

  it('split a head in half for time and quarters for space unless told', () => {
    expect(ropeSplit({ attention_head_dim: 128 })).toEqual([64, 32, 32]);
    expect(ropeSplit({ attention_head_dim: 64 })).toEqual([32, 16, 16]);
    expect(ropeSplit({ attention_head_dim: 64, rope_ch_split: [16, 24, 24] })).toEqual([16, 24, 24]);
  });

  it('keep lengths, and let products depend on distance alone', () => {
    const even = fc.integer({ min: 1, max: 4 }).map((n) => 2 * n);
    fc.assert(
      fc.property(fc.tuple(even, even, even), fc.integer({ min: 0, max: 3 }), fc.integer(), (split, shift, seed) => {
        const width = split[0] + split[1] + split[2];
        const values = (offset: number) => Array.from({ length: width }, (_, c) => Math.sin(seed + offset + 7 * c));
        const frames = shift + 2;
        // q stands in every frame; so does k.
        const q = rotated(Array.from({ length: frames }, () => values(1)).flat(), 1, [frames, 1, 1], split);
        const k = rotated(Array.from({ length: frames }, () => values(2)).flat(), 1, [frames, 1, 1], split);
        const dot = (a: Float64Array, i: number, b: Float64Array, j: number): number => {
          let sum = 0;
          for (let c = 0; c < width; c++) sum += a[i * width + c]! * b[j * width + c]!;
          return sum;
        };
        expect(dot(q, shift, q, shift)).toBeCloseTo(dot(q, 0, q, 0), 4);
        expect(dot(q, shift + 1, k, shift)).toBeCloseTo(dot(q, 1, k, 0), 4);
      }),
      { numRuns: 30 },
    );
  });
});

it('the time sinusoid is the recorded one, cosines first', async () => {
  check(
    'timestep_embedding',
    timestepSinusoid(await recordedTable('timesteps')),
    await recordedTable('timestep_embedding'),
  );
});
