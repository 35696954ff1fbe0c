/**
 * Opens a one-op session on a device and checks its result. Run as a program of its own (`DEVICE` as argument, one line of
 * JSON out), since drivers may hang or take the process down with them; `try-device.ts` starts it and reads the line.
 */
import { fileURLToPath } from 'node:url';
import { cast, input, matmul, type Tensor } from '../tensor/index.ts';
import { compile } from './compile.ts';
import { DEVICES, type Device } from './device.ts';
import { float32, floats } from './value.ts';

export const TRIAL_PROGRAM = fileURLToPath(import.meta.url);

export type Trial = { works: true; float16: boolean } | { works: false; reason: string };

/** `[1 2; 3 4]²` on `device` alone, in float32, then in float16. */
async function tryHere(device: Device): Promise<Trial> {
  const x = input('x', [2, 2]);
  const half = cast(x, 'float16');
  try {
    await square(device, matmul(x, x));
  } catch (error) {
    return { works: false, reason: (error as Error).message };
  }
  const float16 = await square(device, cast(matmul(half, half), 'float32')).then(
    () => true,
    () => false,
  );
  return { works: true, float16 };
}

async function square(device: Device, y: Tensor): Promise<void> {
  const executable = await compile({ y }, { device, threads: 1, deviceOnly: device !== 'cpu' });
  const result = await executable.run({ x: float32(Float32Array.of(1, 2, 3, 4), [2, 2]) });
  await executable.dispose();
  const found = [...floats(result.y)];
  if (found.join() !== '7,10,15,22') throw new Error(`the device computes [1 2; 3 4]² as ${found.join(' ')}`);
}

if (process.argv[1] === TRIAL_PROGRAM) {
  const device = DEVICES.find((name) => name === process.argv[2]);
  if (device === undefined) process.exitCode = 2;
  else console.log(JSON.stringify(await tryHere(device)));
}
