/** Memory that really runs out: more is asked of the runtime than any machine can address. */
import { expect, it } from 'vitest';
import { compile } from '../../src/runtime/compile.ts';
import { isOutOfMemory } from '../../src/runtime/out-of-memory.ts';
import { float32 } from '../../src/runtime/value.ts';
import { expand, input, mul, sum } from '../../src/tensor/index.ts';

it("knows the runtime's own words, and those of JavaScript, from other failures", async () => {
  const side = 10_000_000; // 400 terabytes in all
  const large = expand(input('x', [1, 1]), [side, side]);
  const executable = await compile({ y: sum(mul(large, large)) }, { device: 'cpu', threads: 1 });
  const failure = await executable.run({ x: float32(Float32Array.of(2), [1, 1]) }).catch((error: unknown) => error);
  await executable.dispose();
  expect(isOutOfMemory(failure)).toBe(true);

  expect(isOutOfMemory(new Error('decode failed', { cause: new RangeError('Array buffer allocation failed') }))).toBe(
    true,
  );
  expect(isOutOfMemory(new Error('invalid argument'))).toBe(false);
});
