/**
 * Devices, and which form of an op each prefers. The one place that knows that devices differ.
 */
import { inputError } from '../errors.ts';
import type { AttentionForm } from '../tensor/index.ts';

export const DEVICES = ['cpu', 'webgpu', 'cuda'] as const;
export type Device = (typeof DEVICES)[number];

export type Capabilities = {
  /** Attention of inference; training is always primitive. */
  readonly attention: AttentionForm;
  /** 3-D convolution as three 2-D ones, a tap each, or one over taps stacked on channels. */
  readonly convolution: 'taps' | 'stacked';
};

export function capabilitiesOf(device: Device): Capabilities {
  switch (device) {
    case 'cpu':
      return { attention: 'fused', convolution: 'taps' };
    case 'cuda':
      return { attention: 'fused', convolution: 'stacked' };
    case 'webgpu':
      // Its fused kernels fall back to the CPU or round differently on software adapters.
      return { attention: 'primitive', convolution: 'taps' };
    default:
      throw inputError('device', `must be one of ${DEVICES.join(', ')}`, device satisfies never);
  }
}
