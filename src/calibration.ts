/**
 * This machine's own rates, measured in about a second: float32 matrix products and memory copies. What they are compared
 * with, and what else the machine does meanwhile, is not its affair.
 */
import { compile } from './runtime/compile.ts';
import { float32 } from './runtime/value.ts';
import { input, matmul } from './tensor/index.ts';

export type Calibration = {
  /** Arithmetic a second of one product of 768x768 matrices on the CPU, all cores; a multiply-add counts two. */
  matmulFlops: number;
  /** Bytes a second that one thread copies between buffers larger than the caches. */
  copyBytes: number;
  /** What measuring took. */
  seconds: number;
};

const SIDE = 768;
const COPY_BYTES = 64 * 2 ** 20;
/** Of measuring each rate. */
const SECONDS = 0.4;

/** Takes the median of the runs that fit, at least three, so that a single disturbance does not count. */
export async function calibrate(): Promise<Calibration> {
  const started = performance.now();
  const shape = [SIDE, SIDE];
  const executable = await compile({ product: matmul(input('a', shape), input('b', shape)) }, { device: 'cpu' });
  const matrix = float32(
    Float32Array.from({ length: SIDE * SIDE }, (_, i) => Math.sin(i)),
    shape,
  );
  const product = await medianSeconds(() => executable.run({ a: matrix, b: matrix }));
  await executable.dispose();

  const [from, to] = [new Uint8Array(COPY_BYTES).fill(1), new Uint8Array(COPY_BYTES)];
  const copy = await medianSeconds(() => to.set(from));
  return {
    matmulFlops: (2 * SIDE ** 3) / product,
    copyBytes: COPY_BYTES / copy,
    seconds: (performance.now() - started) / 1000,
  };
}

async function medianSeconds(run: () => unknown): Promise<number> {
  await run(); // the first one allocates
  const times: number[] = [];
  const until = performance.now() + SECONDS * 1000;
  while (times.length < 3 || performance.now() < until) {
    const before = performance.now();
    await run();
    times.push((performance.now() - before) / 1000);
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;
}
