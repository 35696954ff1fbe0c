/**
 * Video-VAE v2 encoder: pixels → mean and log-variance of latents, one chunk at a time.
 */

import { causalConv } from '../nn/conv.ts';
import type { Module } from '../nn/linear.ts';
import type { Scope } from '../nn/scope.ts';
import { type AttentionForm, add, silu, type Tensor } from '../tensor/index.ts';
import {
  attentionBlock,
  averageChannels,
  downsample2d,
  downsample3d,
  norm,
  pixelUnshuffle,
  resnetBlock,
} from './block.ts';
import type { VaeConfig } from './config.ts';

/** Levels whose downsampling halves time too. */
const TEMPORAL_LEVELS = [1, 2];

export type Observe = (name: string, features: Tensor) => void;

/**
 * Pixels [B, T, 3, H, W] in [-1, 1], T one chunk (1 or 17 frames) -> moments [B, (T+7)/8, 2z, H/16, W/16]: mean, then log-variance.
 * `observe` sees every stage's output [B, t, c, h, w] by its module name.
 */
export function encoder(
  scope: Scope,
  config: VaeConfig,
  form: AttentionForm,
): (pixels: Tensor, observe?: Observe) => Tensor {
  const { ch, ch_mult, num_res_blocks } = config.encoder;
  const widths = ch_mult.map((m) => ch * m);
  const convIn = causalConv(scope.at('conv_in').at('conv'), [3, ch], { kernel: 3 });
  const stages: [string, Module][] = [];
  let channels = ch;
  widths.forEach((width, level) => {
    const down = scope.at('down').at(level);
    for (let i = 0; i < num_res_blocks; i++) {
      stages.push([`down.${level}.block.${i}`, resnetBlock(down.at('block').at(i), [channels, width], config)]);
      channels = width;
    }
    if (level === widths.length - 1) return;
    const downsample = TEMPORAL_LEVELS.includes(level) ? downsample3d : downsample2d;
    stages.push([`down.${level}.downsample`, downsample(down.at('downsample'), channels)]);
  });
  const mid = scope.at('mid');
  stages.push(['mid.block_1', resnetBlock(mid.at('block_1'), [channels, channels], config)]);
  stages.push(['mid.attn_1', attentionBlock(mid.at('attn_1'), channels, config, form)]);
  stages.push(['mid.block_2', resnetBlock(mid.at('block_2'), [channels, channels], config)]);
  const normOut = norm(scope.at('norm_out'), channels, config);
  const patchify = causalConv(scope.at('conv_patchify').at('conv').at('conv'), [channels, config.channels / 8], {
    kernel: 3,
  });
  const convOut = causalConv(scope.at('conv_out').at('conv'), [config.channels, 2 * config.z_channels], { kernel: 3 });

  return (pixels, observe = () => {}) => {
    const see = (name: string, x: Tensor): Tensor => {
      observe(`encoder.${name}`, x);
      return x;
    };
    let h = see('conv_in', convIn(pixels));
    for (const [name, stage] of stages) h = see(name, stage(h)); //                       [B, 5, C, H/8, W/8]
    h = silu(normOut(h));
    h = add(
      see('conv_patchify', pixelUnshuffle(patchify(h))),
      see('shortcut_pathify', averageChannels(pixelUnshuffle(h), config.channels)),
    ); //                                                                                 [B, 3, channels, H/16, W/16]
    return add(see('conv_out', convOut(h)), see('shortcut_out', averageChannels(h, 2 * config.z_channels)));
  };
}
