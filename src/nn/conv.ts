/**
 * Convolutions over video features kept as [B, T, C, H, W]: frames are pictures, and a causal 3-D convolution is 2-D ones
 * over frames shifted in time, which devices run faster than their own 3-D kernels.
 */
import { add, concat, conv2d, dim, pad, reshape, slice, type Tensor } from '../tensor/index.ts';
import type { Module } from './linear.ts';
import { fanIn, type Initial, type Scope, ZEROS } from './scope.ts';

type Pads = readonly [number, number, number, number];

/** A picture-wise convolution; weight [out, in, k, k], bias [out]. x [N, C, H, W]. */
export function conv2dLayer(
  scope: Scope,
  channels: readonly [number, number],
  options: { kernel: number; pads: Pads; stride?: number },
): Module {
  const [inChannels, outChannels] = channels;
  const { kernel, pads, stride = 1 } = options;
  const weight = scope.parameter('weight', [outChannels, inChannels, kernel, kernel], fanIn(inChannels * kernel ** 2));
  const bias = scope.parameter('bias', [outChannels], ZEROS);
  return (x) => conv2d(x, weight, bias, pads, stride);
}

export type CausalOptions = {
  readonly kernel: 1 | 3;
  /** In time, rows and columns alike. */
  readonly stride?: 1 | 2;
  readonly initial?: Initial;
};

/**
 * Causal 3-D convolution: k - 1 zero frames in front, zeros all around each picture; weight [out, in, k, k, k].
 * x [B, T, C, H, W] -> [B, ceil(T / stride), out, ceil(H / stride), ceil(W / stride)].
 */
export function causalConv(scope: Scope, channels: readonly [number, number], options: CausalOptions): Module {
  const [inChannels, outChannels] = channels;
  const { kernel, stride = 1, initial } = options;
  const shape = [outChannels, inChannels, kernel, kernel, kernel];
  const weight = scope.parameter('weight', shape, initial ?? { ...fanIn(inChannels * kernel ** 2), lastOf: 2 });
  const bias = scope.parameter('bias', [outChannels], ZEROS);
  const edge = (kernel - 1) / 2;

  return (x) => {
    const [batch, frames, , height, width] = x.shape as readonly [number, number, number, number, number];
    const outFrames = Math.floor((frames - 1) / stride) + 1;
    const padded = pad(x, [0, kernel - 1, 0, 0, 0], [0, 0, 0, 0, 0]);
    const tap = (k: number): Tensor => reshape(slice(weight, 2, k, k + 1), [outChannels, inChannels, kernel, kernel]);
    const shifted = (k: number): Tensor => {
      const range = slice(padded, 1, k, k + (outFrames - 1) * stride + 1, stride);
      return reshape(range, [batch * outFrames, inChannels, height, width]);
    };
    // A tap that sees nothing but the zero frames in front adds nothing.
    const taps = [...Array(kernel).keys()].filter((k) => k + (outFrames - 1) * stride >= kernel - 1);
    const pads: Pads = [edge, edge, edge, edge];
    const terms = taps.map((k, i) => conv2d(shifted(k), tap(k), i === 0 ? bias : undefined, pads, stride));
    const y = terms.reduce((a, b) => add(a, b));
    return reshape(y, [batch, outFrames, outChannels, dim(y.shape, 2), dim(y.shape, 3)]);
  };
}

/** Runs a picture-wise module on every frame: [B, T, C, H, W] in and out. */
export function perFrame(module: Module): Module {
  return (x) => {
    const [batch, frames, ...picture] = x.shape as readonly [number, number, number, number, number];
    const y = module(reshape(x, [batch * frames, ...picture]));
    return reshape(y, [batch, frames, ...y.shape.slice(1)]);
  };
}

/** Every frame twice in a row: [B, T, ...] -> [B, 2T, ...]. */
export function repeatFrames(x: Tensor): Tensor {
  const [batch, frames, ...picture] = x.shape as readonly [number, number, ...number[]];
  const one = reshape(x, [batch * frames, 1, ...picture]);
  return reshape(concat([one, one], 1), [batch, 2 * frames, ...picture]);
}
