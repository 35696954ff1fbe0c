/**
 * Devices, and which form of an op each prefers. The one place that knows that devices differ.
 *
 * Found by running every op on each (test/runtime): WebGPU of onnxruntime 1.30 hands Attention, Sign and casts to int64 to the
 * CPU, has no bfloat16, computes sine and cosine to 2^-11 only (as the standard allows), takes float16 only on adapters
 * that have it, and forgets padding after 1x1 convolutions, which `conv2d` therefore does apart. Nothing here was ever run
 * on CUDA; what it prefers is what its kernels are documented to do.
 */
import { inputError } from '../errors.ts';
import type { AttentionForm } from '../tensor/index.ts';

export const DEVICES = ['cpu', 'webgpu', 'cuda'] as const;
export type Device = (typeof DEVICES)[number];

export type Capabilities = {
  /** Attention of inference; training is always primitive. */
  readonly attention: AttentionForm;
  /** Largest error of sine and cosine, absolute. */
  readonly trigonometry: number;
  /**
   * Widens weights stored in 16 bits itself, on each run. A device that cannot gets them widened once, when a session opens:
   * else the CPU would do it on each run and send the result over.
   */
  readonly widensStored: boolean;
};

export function capabilitiesOf(device: Device): Capabilities {
  switch (device) {
    case 'cpu':
      return { attention: 'flash', trigonometry: 1e-6, widensStored: true };
    case 'cuda':
      return { attention: 'fused', trigonometry: 1e-6, widensStored: true };
    case 'webgpu':
      return { attention: 'primitive', trigonometry: 2 ** -11, widensStored: false };
    default:
      throw inputError('device', `must be one of ${DEVICES.join(', ')}`, device satisfies never);
  }
}
