/**
 * Recorded draws of PyTorch's CPU generator against ours, bit by bit. What was drawn is in the tensors' names:
 * `seedN_…` with `AxBxC` (randn), `bf16_AxBxC`, `rand_A`, or `two_draws_A_then_B` from one generator.
 */
import { z } from 'zod';
import { type TorchGenerator, torchGenerator } from '../diffusion/torch-noise.ts';
import { checkpointError } from '../errors.ts';
import { floats } from '../runtime/value.ts';
import { type Comparison, compare, compareExactly } from './compare.ts';
import { withRecordedSet } from './vectors.ts';

const NAME = /^seed(\d+)_(?:(rand)_(\d+)|two_draws_(\d+)_then_(\d+)|(bf16_)?(\d+(?:x\d+)*))$/;
const seedsSchema = z.array(z.number()).default([]);

/** Every draw of set `name` of directory `dir`, and that each listed seed has one. */
export function compareTorchNoise(dir: string, name: string): Promise<Comparison[]> {
  return withRecordedSet(dir, name, async (recorded) => {
    const comparisons: Comparison[] = [];
    const seen = new Set<number>();
    for (const tensor of recorded.names) {
      const match = NAME.exec(tensor);
      if (!match) throw checkpointError(`recorded set ${name}`, 'must name draws that this program knows', tensor);
      seen.add(Number(match[1]));
      const computed = drawn(torchGenerator(Number(match[1])), match);
      comparisons.push(sameBits(tensor, computed, floats(await recorded.read(tensor))));
    }
    const listed = seedsSchema.safeParse(recorded.info.seeds);
    if (!listed.success) throw checkpointError(`recorded set ${name}`, 'must list its seeds', recorded.info.seeds);
    for (const seed of listed.data)
      comparisons.push(compareExactly(`draws of seed ${seed}`, [Number(seen.has(seed))], [1]));
    return comparisons;
  });
}

function drawn(
  generator: TorchGenerator,
  [, , rand, uniform, first, second, bf16, shape]: RegExpExecArray,
): Float32Array {
  if (rand !== undefined) return generator.rand(Number(uniform));
  if (first !== undefined)
    return Float32Array.of(...generator.randn(Number(first)), ...generator.randn(Number(second)));
  const length = (shape as string).split('x').reduce((product, side) => product * Number(side), 1);
  return bf16 === undefined ? generator.randn(length) : generator.randnBfloat16(length);
}

/** Equal as bits, so that -0 is not 0; how far apart is said in values. */
function sameBits(name: string, computed: Float32Array, recorded: Float32Array): Comparison {
  const values = compare(name, computed, recorded, { tolerance: 0 });
  return { ...values, ok: values.ok && computed.every((value, i) => Object.is(value, recorded[i])) };
}
