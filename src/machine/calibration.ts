/**
 * This machine's own rates, measured in about a second: float32 matrix products and memory copies. What they are compared
 * with, and what else the machine does meanwhile, is not its affair.
 */
import { compile } from '../runtime/compile.ts';
import type { Device } from '../runtime/device.ts';
import { float32 } from '../runtime/value.ts';
import { input, matmul } from '../tensor/index.ts';

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
  const matmulFlops = await matmulRate('cpu');
  const [from, to] = [new Uint8Array(COPY_BYTES).fill(1), new Uint8Array(COPY_BYTES)];
  const copy = await medianSeconds(() => to.set(from));
  return {
    matmulFlops,
    copyBytes: COPY_BYTES / copy,
    seconds: (performance.now() - started) / 1000,
  };
}

/** Floating-point operations a second of a product of matrices on `device`. */
export async function matmulRate(device: Device, threads?: number): Promise<number> {
  const shape = [SIDE, SIDE];
  const executable = await compile({ product: matmul(input('a', shape), input('b', shape)) }, { device, threads });
  const matrix = float32(
    Float32Array.from({ length: SIDE * SIDE }, (_, i) => Math.sin(i)),
    shape,
  );
  try {
    return (2 * SIDE ** 3) / (await medianSeconds(() => executable.run({ a: matrix, b: matrix })));
  } finally {
    await executable.dispose();
  }
}

/** Seconds of one run, after one that allocates. */
export async function medianSeconds(run: () => unknown): Promise<number> {
  await run();
  const times: number[] = [];
  const until = performance.now() + SECONDS * 1000;
  while (times.length < 3 || performance.now() < until) {
    const before = performance.now();
    await run();
    times.push((performance.now() - before) / 1000);
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;
}
