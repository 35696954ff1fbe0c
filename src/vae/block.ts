/**
 * The blocks that encoder and decoder share: residual block, causal attention, up- and downsampling, pixel shuffles.
 * All features are [B, T, C, H, W].
 */

import { causalConv, conv2dLayer, type Past, perFrame, repeatFrames } from '../nn/conv.ts';
import type { Module } from '../nn/linear.ts';
import { type GroupMoments, groupNorm } from '../nn/norm.ts';
import { type Scope, ZEROS } from '../nn/scope.ts';
import {
  type AttentionForm,
  add,
  concat,
  dim,
  mean,
  pad,
  reshape,
  silu,
  slice,
  type Tensor,
  transpose,
  upsampleNearest,
} from '../tensor/index.ts';
import { causalAttention } from './causal-attention.ts';

/** What all blocks of a network share. */
export type BlockConfig = {
  readonly num_groups: number;
  /** Where norms take their statistics from; their own input, unless given. */
  readonly moments?: GroupMoments | undefined;
  /** What convolutions see before the first frame; zeros, unless given. */
  readonly past?: Past | undefined;
};

export const norm = (scope: Scope, channels: number, config: BlockConfig, gain = 1): Module =>
  perFrame(groupNorm(scope, channels, { groups: config.num_groups, moments: config.moments, gain }));

/** x + conv2(silu(norm2(conv1(silu(norm1(x)))))), x through a 1x1x1 shortcut where the channels differ. */
export function resnetBlock(scope: Scope, channels: readonly [number, number], config: BlockConfig): Module {
  const [inChannels, outChannels] = channels;
  const { past } = config;
  const norm1 = norm(scope.at('norm1'), inChannels, config);
  const conv1 = causalConv(scope.at('conv1').at('conv'), channels, { kernel: 3, past });
  const norm2 = norm(scope.at('norm2'), outChannels, config);
  // Starting at zero, every block begins as the identity.
  const identity = { kernel: 3, initial: ZEROS, past } as const;
  const conv2 = causalConv(scope.at('conv2').at('conv'), [outChannels, outChannels], identity);
  const shortcut =
    inChannels === outChannels
      ? (x: Tensor): Tensor => x
      : causalConv(scope.at('nin_shortcut').at('conv'), channels, { kernel: 1 });
  return (x) => add(shortcut(x), conv2(silu(norm2(conv1(silu(norm1(x)))))));
}

/** Attention of one head over all tokens of all frames, causal in raster order (frame, row, column), plus x. */
export function attentionBlock(scope: Scope, channels: number, config: BlockConfig, form: AttentionForm): Module {
  const normed = norm(scope.at('norm'), channels, config);
  const [q, k, v] = ['q', 'k', 'v'].map((name) =>
    causalConv(scope.at(name).at('conv'), [channels, channels], { kernel: 1 }),
  ) as [Module, Module, Module];
  const project = causalConv(scope.at('proj_out').at('conv'), [channels, channels], { kernel: 1, initial: ZEROS });
  return (x) => {
    const [batch, frames, , height, width] = x.shape as readonly [number, number, number, number, number];
    const tokens = frames * height * width;
    const flat = (y: Tensor): Tensor => reshape(transpose(y, [0, 1, 3, 4, 2]), [batch, 1, tokens, channels]);
    const h = normed(x);
    const attended = causalAttention([flat(q(h)), flat(k(h)), flat(v(h))], { scale: 1 / Math.sqrt(channels), form });
    const back = transpose(reshape(attended, [batch, frames, height, width, channels]), [0, 1, 4, 2, 3]);
    return add(x, project(back));
  };
}

/** Half the height and width of every frame: a zero row below and column right, then a stride of 2. */
export const downsample2d = (scope: Scope, channels: number): Module =>
  perFrame(conv2dLayer(scope.at('conv'), [channels, channels], { kernel: 3, pads: [0, 0, 1, 1], stride: 2 }));

/** Half of time, height and width. */
export const downsample3d = (scope: Scope, channels: number): Module =>
  causalConv(scope.at('conv').at('conv'), [channels, channels], { kernel: 3, stride: 2 });

export function upsample2d(scope: Scope, channels: number): Module {
  const conv = conv2dLayer(scope.at('conv'), [channels, channels], { kernel: 3, pads: [1, 1, 1, 1] });
  return perFrame((x) => conv(upsampleNearest(x)));
}

/** Twice the time (where `repeats` is set), height and width, then silu(norm2(conv2(silu(norm1(conv1(x))))) + x) + x: the input counts twice. */
export function upsample3d(scope: Scope, channels: number, config: BlockConfig, repeats: boolean): Module {
  const own = scope.at('conv3d');
  const options = { kernel: 3, past: config.past } as const;
  const conv1 = causalConv(own.at('conv1').at('conv'), [channels, channels], options);
  const norm1 = norm(own.at('norm1'), channels, config);
  const conv2 = causalConv(own.at('conv2').at('conv'), [channels, channels], options);
  const norm2 = norm(own.at('norm2'), channels, config, 0);
  const enlarge = perFrame(upsampleNearest);
  return (input) => {
    const x = repeats ? repeatFrames(enlarge(input)) : enlarge(input);
    const h = norm2(conv2(silu(norm1(conv1(x)))));
    return add(silu(add(h, x)), x);
  };
}

/** One zero frame in front, then 2x2x2 cubes to channels, index ((c·2 + dt)·2 + dh)·2 + dw: [B, T, C, H, W] -> [B, (T+1)/2, 8C, H/2, W/2]. */
export function pixelUnshuffle(x: Tensor): Tensor {
  const padded = pad(x, [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]);
  const [batch, frames, channels, height, width] = padded.shape as readonly [number, number, number, number, number];
  const [t, h, w] = [frames / 2, height / 2, width / 2];
  const cubes = reshape(padded, [batch, t, 2, channels, h, 2, w, 2]);
  return reshape(transpose(cubes, [0, 1, 3, 2, 5, 7, 4, 6]), [batch, t, 8 * channels, h, w]);
}

/** The way back, without the first frame: [B, T, 8C, H, W] -> [B, 2T - 1, C, 2H, 2W]. */
export function pixelShuffle(x: Tensor): Tensor {
  const [batch, frames, wide, height, width] = x.shape as readonly [number, number, number, number, number];
  const channels = wide / 8;
  const cubes = reshape(x, [batch, frames, channels, 2, 2, 2, height, width]);
  const video = reshape(transpose(cubes, [0, 1, 3, 2, 6, 4, 7, 5]), [
    batch,
    2 * frames,
    channels,
    2 * height,
    2 * width,
  ]);
  return slice(video, 1, 1, 2 * frames);
}

/** Means of groups of neighbouring channels, down to `channels`. */
export function averageChannels(x: Tensor, channels: number): Tensor {
  const [batch, frames, wide, height, width] = x.shape as readonly [number, number, number, number, number];
  return mean(reshape(x, [batch, frames, channels, wide / channels, height, width]), [3]);
}

/** Each channel `times` times in a row. */
export function repeatChannels(x: Tensor, times: number): Tensor {
  const [batch, frames, channels, height, width] = x.shape as readonly [number, number, number, number, number];
  const one = reshape(x, [batch, frames, channels, 1, height * width]);
  const many = concat(
    Array.from({ length: times }, () => one),
    3,
  );
  return reshape(many, [batch, frames, channels * times, dim(x.shape, 3), width]);
}
