/**
 * Convolutions over video features kept as [B, T, C, H, W]: frames are pictures, and a causal 3-D convolution is 2-D ones
 * over frames shifted in time, which devices run faster than their own 3-D kernels.
 */
import { add, concat, conv2d, dim, pad, reshape, slice, type Tensor, transpose } from '../tensor/index.ts';
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

/** x [B, T, C, H, W] behind the `count` frames that went before: all of them, and the last `count`, which are kept for the next piece. */
export type Past = (x: Tensor, count: number) => { readonly all: Tensor; readonly kept: Tensor };

export type CausalOptions = {
  readonly kernel: 1 | 3;
  /** In time, rows and columns alike. */
  readonly stride?: 1 | 2;
  readonly initial?: Initial;
  /** What went before the first frame where x is a piece of a longer run of frames; zeros unless given. */
  readonly past?: Past | undefined;
};

/**
 * Causal 3-D convolution: k - 1 zero frames in front, zeros all around each picture; weight [out, in, k, k, k].
 * x [B, T, C, H, W] -> [B, ceil(T / stride), out, ceil(H / stride), ceil(W / stride)].
 */
export function causalConv(scope: Scope, channels: readonly [number, number], options: CausalOptions): Module {
  const [inChannels, outChannels] = channels;
  const { kernel, stride = 1, initial, past } = options;
  const shape = [outChannels, inChannels, kernel, kernel, kernel];
  const weight = scope.parameter('weight', shape, initial ?? { ...fanIn(inChannels * kernel ** 2), lastOf: 2 });
  const bias = scope.parameter('bias', [outChannels], ZEROS);

  const layer: CausalLayer = { weight, bias, kernel, stride, past: kernel > 1 ? past : undefined };
  return (x) =>
    scope.training && stride === 1 && kernel > 1 && dim(x.shape, 1) > 1 ? tapsOut(x, layer) : tapsIn(x, layer);
}

type CausalLayer = { weight: Tensor; bias: Tensor; kernel: number; stride: number; past: Past | undefined };

/** A convolution a time tap over its own range of frames, summed: with weights known at compile time the fastest form. */
function tapsIn(x: Tensor, { weight, bias, kernel, stride, past }: CausalLayer): Tensor {
  const [batch, frames, inChannels, height, width] = x.shape as readonly [number, number, number, number, number];
  const outChannels = dim(weight.shape, 0);
  const outFrames = Math.floor((frames - 1) / stride) + 1;
  const count = kernel - 1;
  const before = past?.(x, count);
  const padded = before?.all ?? pad(x, [0, count, 0, 0, 0], [0, 0, 0, 0, 0]);
  const tap = (k: number): Tensor => reshape(slice(weight, 2, k, k + 1), [outChannels, inChannels, kernel, kernel]);
  const shifted = (k: number): Tensor => {
    const isLast = before !== undefined && k === count && stride === 1;
    const range = isLast
      ? lastFrames(before, { count, frames })
      : slice(padded, 1, k, k + (outFrames - 1) * stride + 1, stride);
    return reshape(range, [batch * outFrames, inChannels, height, width]);
  };
  // A tap that sees nothing but the zero frames in front adds nothing.
  const taps = [...Array(kernel).keys()].filter((k) => past !== undefined || k + (outFrames - 1) * stride >= count);
  const terms = taps.map((k, i) => conv2d(shifted(k), tap(k), i === 0 ? bias : undefined, edges(kernel), stride));
  const y = terms.reduce((a, b) => add(a, b));
  return reshape(y, [batch, outFrames, outChannels, dim(y.shape, 2), dim(y.shape, 3)]);
}

/** The last `frames` frames out of those that are kept, so that these are made here and not when all else is: till then `all` would stay. */
function lastFrames({ all, kept }: ReturnType<Past>, { count, frames }: { count: number; frames: number }): Tensor {
  return frames <= count ? slice(kept, 1, count - frames, count) : concat([slice(all, 1, count, frames), kept], 1);
}

/**
 * All taps as output channels of one convolution, their results shifted in time and summed. The weight gradient then
 * shifts each picture once instead of once a tap, and its products are three times as wide: the form for training.
 */
function tapsOut(x: Tensor, { weight, bias, kernel }: CausalLayer): Tensor {
  const [batch, frames, inChannels, height, width] = x.shape as readonly [number, number, number, number, number];
  const outChannels = dim(weight.shape, 0);
  const stacked = reshape(transpose(weight, [2, 0, 1, 3, 4]), [kernel * outChannels, inChannels, kernel, kernel]);
  const pictures = conv2d(reshape(x, [batch * frames, inChannels, height, width]), stacked, undefined, edges(kernel));
  const y = reshape(pictures, [batch, frames, kernel, outChannels, height, width]);
  const terms = [...Array(kernel).keys()].map((k) => {
    const late = kernel - 1 - k;
    const kept = slice(slice(y, 2, k, k + 1), 1, 0, frames - late);
    return pad(reshape(kept, [batch, frames - late, outChannels, height, width]), [0, late, 0, 0, 0], [0, 0, 0, 0, 0]);
  });
  return add(
    terms.reduce((a, b) => add(a, b)),
    reshape(bias, [outChannels, 1, 1]),
  );
}

const edges = (kernel: number): Pads => {
  const edge = (kernel - 1) / 2;
  return [edge, edge, edge, edge];
};

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
