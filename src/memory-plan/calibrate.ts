/**
 * How fast this machine is, found in about a second: the product of matrices, decoding of 16-bit weights, and reading files.
 * Knows nothing of networks.
 */
import { open, stat } from 'node:fs/promises';
import { matmulRate, medianSeconds } from '../machine/calibration.ts';
import { compile } from '../runtime/compile.ts';
import type { Device } from '../runtime/device.ts';
import { cast, input } from '../tensor/index.ts';

export type Rates = {
  /** Floating-point operations a second of a float32 product. */
  readonly flops: number;
  /** Elements a second from 16 to 32 bits. */
  readonly decoding: number;
  /** Bytes a second of a file as it lies now: from the page cache, if it was read lately. */
  readonly reading: number;
};

const DECODED = 1 << 23;
const READ_BYTES = 128 * 2 ** 20;
const CHUNK = 8 * 2 ** 20;

/** Measures on `device`; reading on `file`, from its middle. */
export async function calibrate(file: string, device: Device, threads?: number): Promise<Rates> {
  const half = { dtype: 'float16', shape: [DECODED], data: new Uint16Array(DECODED) } as const;
  const flops = await matmulRate(device, threads);
  const decode = await compile(
    { y: cast(input('x', [DECODED], 'float16'), 'float32') },
    { device: 'cpu', threads, memoryArena: false },
  );
  try {
    const seconds = await medianSeconds(() => decode.run({ x: half }));
    return { flops, decoding: DECODED / seconds, reading: await readingRate(file) };
  } finally {
    await decode.dispose();
  }
}

async function readingRate(file: string): Promise<number> {
  const { size } = await stat(file);
  const handle = await open(file, 'r');
  try {
    const chunk = new Uint8Array(CHUNK);
    const from = Math.max(0, Math.floor(size / 2) - READ_BYTES / 2);
    const start = performance.now();
    let bytes = 0;
    while (bytes < READ_BYTES) {
      const { bytesRead } = await handle.read(chunk, 0, CHUNK, from + bytes);
      if (bytesRead === 0) break;
      bytes += bytesRead;
    }
    return (bytes * 1e3) / (performance.now() - start);
  } finally {
    await handle.close();
  }
}
