/**
 * A small patch discriminator and its hinge losses (Lim and Ye 2017; patches: Isola et al. 2017). It sees a frame and the change
 * to the next one, so that flicker and doubled images give a decoder away as well as soft edges. Knows no VAE.
 */
import { conv2dLayer } from '../nn/conv.ts';
import { groupNorm } from '../nn/norm.ts';
import type { Scope } from '../nn/scope.ts';
import { add, maximum, mean, mul, neg, sub, type Tensor } from '../tensor/index.ts';

/** Channels of a frame and its change. */
export const PAIR_CHANNELS = 6;
const CHANNELS_PER_GROUP = 8;

/** Pairs [N, 6, H, W] to a logit for each patch, [N, 1, H / 2^n, W / 2^n] for n `widths`: high where it takes them for real. */
export function discriminator(scope: Scope, widths: readonly number[]): (pairs: Tensor) => Tensor {
  const levels = widths.map((width, i) => {
    const own = scope.at('levels').at(i);
    const channels = [widths[i - 1] ?? PAIR_CHANNELS, width] as const;
    const conv = conv2dLayer(own, channels, { kernel: 4, pads: [1, 1, 1, 1], stride: 2 });
    // The first level sees the range of the pixels themselves.
    const norm = i === 0 ? (x: Tensor) => x : groupNorm(own.at('norm'), width, { groups: width / CHANNELS_PER_GROUP });
    return (x: Tensor): Tensor => leaky(norm(conv(x)));
  });
  const judge = conv2dLayer(scope.at('judge'), [widths.at(-1)!, 1], { kernel: 3, pads: [1, 1, 1, 1] });
  return (pairs) => judge(levels.reduce((x, level) => level(x), pairs));
}

const leaky = (x: Tensor): Tensor => maximum(x, mul(x, 0.2));

/** What the discriminator minimises: logits of real patches are to exceed 1, those of made ones to stay below -1. */
export const hingeLoss = (real: Tensor, made: Tensor): Tensor =>
  add(mean(maximum(sub(1, real), 0)), mean(maximum(add(made, 1), 0)));

/** What the generator minimises. */
export const generatorLoss = (made: Tensor): Tensor => neg(mean(made));
