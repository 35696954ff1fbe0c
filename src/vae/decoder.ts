/**
 * Video-VAE v2 decoder: latents → pixels, one chunk at a time. Seams between chunks are not its affair (chunks.ts).
 */

import { causalConv } from '../nn/conv.ts';
import type { Module } from '../nn/linear.ts';
import type { Scope } from '../nn/scope.ts';
import { type AttentionForm, add, dim, silu, slice, type Tensor } from '../tensor/index.ts';
import { attentionBlock, norm, pixelShuffle, repeatChannels, resnetBlock, upsample2d, upsample3d } from './block.ts';
import type { VaeConfig } from './config.ts';
import type { Observe } from './encoder.ts';

/** Levels whose upsampling doubles time too. */
const TEMPORAL_LEVELS = [2, 3];
/** Frames at the front that two temporal doublings make too many. */
const EXTRA_FRAMES = 3;

export type DecoderOptions = {
  readonly form: AttentionForm;
  /** Stills while no time tap but the last is trained: frames that would be copies of each other are computed once. */
  readonly flat?: boolean;
};

/** Latents [B, F, z, h, w], F one chunk (1, 2 or 3 frames) -> pixels [B, 1, 9 or 17, 3, 16h, 16w], not clamped. */
export function decoder(
  scope: Scope,
  config: VaeConfig,
  options: DecoderOptions,
): (latents: Tensor, observe?: Observe) => Tensor {
  const { form, flat = false } = options;
  const { ch, ch_mult, num_res_blocks } = config.decoder;
  const widths = ch_mult.map((m) => ch * m);
  const top = widths[widths.length - 1] as number;
  const convIn = causalConv(scope.at('conv_in').at('conv'), [config.z_channels, config.channels], { kernel: 3 });
  const unpatchify = causalConv(scope.at('conv_unpatchify').at('conv').at('conv'), [config.channels, 8 * top], {
    kernel: 3,
  });
  const stages: [string, Module][] = [];
  const mid = scope.at('mid');
  stages.push(['mid.block_1', resnetBlock(mid.at('block_1'), [top, top], config)]);
  stages.push(['mid.attn_1', attentionBlock(mid.at('attn_1'), top, config, form)]);
  stages.push(['mid.block_2', resnetBlock(mid.at('block_2'), [top, top], config)]);
  let channels = top;
  for (let level = widths.length - 1; level >= 0; level--) {
    const up = scope.at('up').at(level);
    const width = widths[level] as number;
    for (let i = 0; i <= num_res_blocks; i++) {
      stages.push([`up.${level}.block.${i}`, resnetBlock(up.at('block').at(i), [channels, width], config)]);
      channels = width;
    }
    if (level === 0) continue;
    const own = up.at('upsample');
    stages.push([
      `up.${level}.upsample`,
      TEMPORAL_LEVELS.includes(level) ? upsample3d(own, channels, config, !flat) : upsample2d(own, channels),
    ]);
  }
  const normOut = norm(scope.at('norm_out'), channels, config);
  const convOut = causalConv(scope.at('conv_out').at('conv'), [channels, 3], { kernel: 3 });

  return (latents, observe = () => {}) => {
    const see = (name: string, x: Tensor): Tensor => {
      observe(`decoder.${name}`, x);
      return x;
    };
    let h = add(
      see('conv_in', convIn(latents)),
      see('shortcut_in', repeatChannels(latents, config.channels / config.z_channels)),
    ); //                                                                                 [B, F, channels, h, w]
    h = add(
      see('conv_unpatchify', pixelShuffle(unpatchify(h))),
      see('shortcut_unpathify', pixelShuffle(repeatChannels(h, (8 * top) / config.channels))),
    ); //                                                                                 [B, 2F - 1, top, 2h, 2w]
    for (const [name, stage] of stages) h = see(name, stage(h)); //                       [B, 4(2F - 1), C, 16h, 16w]
    const video = see('conv_out', convOut(silu(normOut(h))));
    return flat ? video : slice(video, 1, EXTRA_FRAMES, dim(video.shape, 1));
  };
}
