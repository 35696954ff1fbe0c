/**
 * Recorded tables that need no weights: rotary and timestep tables, also as a 16-bit release rounds them, and the schedule.
 */

import { euler } from '../diffusion/euler.ts';
import { schedule } from '../diffusion/schedule.ts';
import { type Grid, type RopeSplit, ropeConstants, ropeTables, rotary } from '../dit/rope.ts';
import { timestepSinusoid } from '../dit/timestep.ts';
import { checkpointError } from '../errors.ts';
import { compile } from '../runtime/compile.ts';
import { floats } from '../runtime/value.ts';
import { input, transpose } from '../tensor/index.ts';
import { decodeFloat, encodeFloat } from '../weights/float-codec.ts';
import { type Comparison, compare, compareExactly } from './compare.ts';
import { type RecordedSet, withRecordedSet } from './vectors.ts';

const bfloat = (x: number): number => decodeFloat(encodeFloat(Float32Array.of(x), 'BF16'), 'BF16')[0]!;
const SCHEDULE_TOLERANCE = 1e-6;

/** Everything recorded in table set `name` of directory `dir`. */
export function compareTables(dir: string, name: string): Promise<Comparison[]> {
  return withRecordedSet(dir, name, async (recorded) => {
    const comparisons: Comparison[] = [];
    for (const tensor of recorded.names) {
      const computed = await tableOf(recorded, tensor);
      if (computed === undefined) continue;
      const value = floats(await recorded.read(tensor));
      // Deviations of narrow tables were not recorded. Angles are single precision there too, and as far from exact as those of the wide table.
      const angles = tensor === 'timestep_embedding_bf16' ? 'timestep_embedding' : tensor;
      comparisons.push(compare(tensor, computed, value, { deviation: recorded.deviation(angles) }));
    }
    const sums = Object.entries((recorded.info.mask_sum_bf16 ?? {}) as Record<string, number>);
    if (sums.length > 0)
      comparisons.push(
        compareExactly(
          'mask_sum_bf16',
          sums.map(([length]) => bfloat(Number(length))),
          sums.map(([, sum]) => sum),
        ),
      );
    return comparisons;
  });
}

/** The table that a name asks for; undefined for the inputs of others. */
async function tableOf(recorded: RecordedSet, tensor: string): Promise<Float32Array | undefined> {
  const [, half, width, narrow] = /^(cos|sin)(\d+)(_bf16)?$/.exec(tensor) ?? [];
  if (half !== undefined) {
    const positions = (await recorded.read(tensor)).shape[0] as number;
    const tables = ropeTables([positions, 1, 1], [Number(width), 0, 0], narrow === undefined ? undefined : bfloat);
    return tables[half as 'cos' | 'sin'];
  }
  if (/^timestep_embedding(_bf16)?$/.test(tensor))
    return timestepSinusoid(floats(await recorded.read('timesteps')), tensor.endsWith('_bf16') ? bfloat : undefined);
  return tensor === 'rotated' ? rotated(recorded) : undefined;
}

/** Tokens [B, N, heads, d] turned by their places, grid and split being in the descriptions. */
async function rotated(recorded: RecordedSet): Promise<Float32Array> {
  const triple = (text: string, pattern: RegExp): readonly [number, number, number] => {
    const found = pattern.exec(text)?.[1]?.split(',').map(Number);
    if (found?.length !== 3)
      throw checkpointError(`recorded set ${recorded.name}`, 'rotated tokens must say how', text);
    return found as unknown as readonly [number, number, number];
  };
  const grid: Grid = triple(recorded.about('tokens'), /\((\d+, ?\d+, ?\d+)\)/);
  const split: RopeSplit = triple(recorded.about('rotated'), /\[(\d+, ?\d+, ?\d+)\]/);
  const tokens = await recorded.read('tokens');
  const heads = transpose(input('tokens', tokens.shape), [0, 2, 1, 3]);
  const graph = await compile(
    { rotated: transpose(rotary(ropeConstants(grid, split), split)(heads), [0, 2, 1, 3]) },
    { device: 'cpu', threads: 1 },
  );
  const { rotated } = await graph.run({ tokens });
  await graph.dispose();
  return floats(rotated);
}

/** Schedules `sigmas_STEPS_SHIFT` and `timesteps_STEPS_SHIFT`, and the Euler trajectory x0, x1, … of a closed-form velocity. */
export function compareScheduler(dir: string, name: string): Promise<Comparison[]> {
  return withRecordedSet(dir, name, async (recorded) => {
    const comparisons: Comparison[] = [];
    for (const tensor of recorded.names) {
      const [, kind, steps, timeShift] = /^(sigmas|timesteps)_(\d+)_([\d.]+)$/.exec(tensor) ?? [];
      if (kind === undefined) continue;
      const times = schedule({ steps: Number(steps), timeShift: Number(timeShift) });
      const computed = kind === 'sigmas' ? times : times.subarray(0, -1);
      const value = floats(await recorded.read(tensor));
      comparisons.push(compare(tensor, computed, value, { tolerance: SCHEDULE_TOLERANCE }));
    }
    if (recorded.names.has('x0')) comparisons.push(...(await compareTrajectory(recorded)));
    return comparisons;
  });
}

async function compareTrajectory(recorded: RecordedSet): Promise<Comparison[]> {
  const about = recorded.about('x0');
  const [, steps, timeShift] = /(\d+) steps, shift ([\d.]+), velocity = sin\(3x\)\+t/.exec(about) ?? [];
  if (steps === undefined)
    throw checkpointError(`recorded set ${recorded.name}`, 'x0 must tell steps, shift and velocity = sin(3x)+t', about);
  const f32 = Math.fround;
  const latents = floats(await recorded.read('x0'));
  const velocity = async (x: Float32Array, t: number): Promise<Float32Array> =>
    x.map((v) => f32(Math.sin(f32(3 * v))) + t);
  const comparisons: Comparison[] = [];
  const times = schedule({ steps: Number(steps), timeShift: Number(timeShift) });
  for await (const { step, latents: x } of euler({ velocity, latents, times })) {
    const tensor = `x${step}`;
    comparisons.push(
      compare(tensor, x, floats(await recorded.read(tensor)), { deviation: recorded.deviation(tensor) }),
    );
  }
  return comparisons;
}
