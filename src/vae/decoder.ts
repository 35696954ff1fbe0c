/**
 * Video-VAE v2 decoder: latents → pixels, one chunk at a time. Seams between chunks are not its affair (chunks.ts).
 */

import { causalConv } from '../nn/conv.ts';
import type { Module } from '../nn/linear.ts';
import type { Scope } from '../nn/scope.ts';
import { type AttentionForm, add, dim, silu, slice, type Tensor } from '../tensor/index.ts';
import {
  attentionBlock,
  type BlockConfig,
  norm,
  pixelShuffle,
  repeatChannels,
  resnetBlock,
  upsample2d,
  upsample3d,
} from './block.ts';
import type { VaeConfig } from './config.ts';
import type { Observe } from './encoder.ts';

/** Levels whose upsampling doubles time too. */
const TEMPORAL_LEVELS = [2, 3];
/** Frames at the front that two temporal doublings make too many; the last stage, `trim`, drops them. */
export const EXTRA_FRAMES = 3;

export type DecoderOptions = {
  readonly form: AttentionForm;
  /** Stills while no time tap but the last is trained: frames that would be copies of each other are computed once. */
  readonly flat?: boolean;
} & Pick<BlockConfig, 'moments' | 'past'>;

/** One step of the decoder, features [B, T, C, H, W] in and out. */
export type DecoderStage = { readonly name: string; readonly run: (x: Tensor, observe: Observe) => Tensor };

/** Latents [B, F, z, h, w], F one chunk (1, 2 or 3 frames) -> pixels [B, 1, 9 or 17, 3, 16h, 16w], not clamped. */
export function decoder(
  scope: Scope,
  config: VaeConfig,
  options: DecoderOptions,
): (latents: Tensor, observe?: Observe) => Tensor {
  const stages = decoderStages(scope, config, options);
  return (latents, observe = () => {}) => stages.reduce((x, stage) => stage.run(x, observe), latents);
}

/** The decoder as the steps that it consists of, in order, so that parts of it can be run apart. */
export function decoderStages(scope: Scope, config: VaeConfig, options: DecoderOptions): DecoderStage[] {
  const { form, flat = false, moments, past } = options;
  const { ch, ch_mult, num_res_blocks } = config.decoder;
  const blocks = { num_groups: config.num_groups, moments, past };
  const widths = ch_mult.map((m) => ch * m);
  const top = widths[widths.length - 1] as number;
  const stages = [frontStage(scope, config, top)];
  const push = (name: string, module: Module): void => {
    stages.push({ name, run: (x, observe) => seen(observe, name, module(x)) });
  };
  const mid = scope.at('mid');
  push('mid.block_1', resnetBlock(mid.at('block_1'), [top, top], blocks));
  push('mid.attn_1', attentionBlock(mid.at('attn_1'), top, blocks, form));
  push('mid.block_2', resnetBlock(mid.at('block_2'), [top, top], blocks));
  let channels = top;
  for (let level = widths.length - 1; level >= 0; level--) {
    const up = scope.at('up').at(level);
    const width = widths[level] as number;
    for (let i = 0; i <= num_res_blocks; i++) {
      push(`up.${level}.block.${i}`, resnetBlock(up.at('block').at(i), [channels, width], blocks));
      channels = width;
    }
    if (level === 0) continue;
    const own = up.at('upsample');
    const module = TEMPORAL_LEVELS.includes(level)
      ? upsample3d(own, channels, blocks, !flat)
      : upsample2d(own, channels);
    push(`up.${level}.upsample`, module); //                                              [B, 4(2F - 1), C, 16h, 16w]
  }
  const normOut = norm(scope.at('norm_out'), channels, blocks);
  const convOut = causalConv(scope.at('conv_out').at('conv'), [channels, 3], { kernel: 3, past });
  push('conv_out', (x) => convOut(silu(normOut(x))));
  if (!flat) stages.push({ name: 'trim', run: (x) => slice(x, 1, EXTRA_FRAMES, dim(x.shape, 1)) });
  return stages;
}

/** Both dual paths: latents [B, F, z, h, w] -> [B, 2F - 1, top, 2h, 2w]. */
function frontStage(scope: Scope, config: VaeConfig, top: number): DecoderStage {
  const convIn = causalConv(scope.at('conv_in').at('conv'), [config.z_channels, config.channels], { kernel: 3 });
  const unpatchify = causalConv(scope.at('conv_unpatchify').at('conv').at('conv'), [config.channels, 8 * top], {
    kernel: 3,
  });
  const run = (latents: Tensor, observe: Observe): Tensor => {
    const h = add(
      seen(observe, 'conv_in', convIn(latents)),
      seen(observe, 'shortcut_in', repeatChannels(latents, config.channels / config.z_channels)),
    ); //                                                                                 [B, F, channels, h, w]
    return add(
      seen(observe, 'conv_unpatchify', pixelShuffle(unpatchify(h))),
      seen(observe, 'shortcut_unpathify', pixelShuffle(repeatChannels(h, (8 * top) / config.channels))),
    );
  };
  return { name: 'front', run };
}

function seen(observe: Observe, name: string, x: Tensor): Tensor {
  observe(`decoder.${name}`, x);
  return x;
}
