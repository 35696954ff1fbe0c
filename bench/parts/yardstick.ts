/**
 * The machine's own rate: one large matrix product, run by the same runtime as everything that is measured beside it.
 */
import { compile } from '../../src/runtime/compile.ts';
import { float32 } from '../../src/runtime/value.ts';
import { input, matmul } from '../../src/tensor/index.ts';
import type { Contender } from './interleave.ts';

export type Yardstick = Required<Contender> & { dispose(): Promise<void> };

/** Product of two `size` x `size` matrices, float32. */
export async function matmulYardstick(options: { size: number; threads?: number | undefined }): Promise<Yardstick> {
  const { size, threads } = options;
  const shape = [size, size];
  const product = matmul(input('a', shape), input('b', shape));
  const executable = await compile({ product }, { device: 'cpu', threads });
  const matrix = (frequency: number) =>
    float32(
      Float32Array.from({ length: size * size }, (_, i) => Math.sin(i * frequency)),
      shape,
    );
  const feeds = { a: matrix(0.1), b: matrix(0.3) };
  return {
    name: `matmul ${size}`,
    flops: 2 * size ** 3,
    run: () => executable.run(feeds),
    dispose: () => executable.dispose(),
  };
}
