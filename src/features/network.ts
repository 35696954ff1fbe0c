/**
 * The feature network: a small convolutional classifier of single pictures, whose inner activations serve as a perceptual space
 * and whose pooled vector serves as features. Norms see one picture each, so a picture's features do not depend on its batch.
 */
import { conv2dLayer } from '../nn/conv.ts';
import { linear, type Module } from '../nn/linear.ts';
import { groupNorm } from '../nn/norm.ts';
import type { Scope } from '../nn/scope.ts';
import { add, averagePool, concat, max, mean, silu, type Tensor } from '../tensor/index.ts';
import type { FeatureConfig } from './config.ts';

export type FeatureActivations = {
  /** Output of each level, [N, widths[i], H / 2^i, W / 2^i]. */
  readonly levels: readonly Tensor[];
  /** Pooled features [N, features]. */
  readonly vector: Tensor;
  /** [N, subjects]. */
  readonly logits: Tensor;
};

/** Pictures [N, 3, H, W] in [-1, 1], sides multiples of 16, to everything that the network makes of them. */
export function featureNetwork(
  scope: Scope,
  { sizes, subjects }: Pick<FeatureConfig, 'sizes' | 'subjects'>,
): (pictures: Tensor) => FeatureActivations {
  const { widths, blocks, num_groups: groups, features } = sizes;
  const levels = widths.map((width, i): Module => {
    const own = scope.at('levels').at(i);
    const widen = layer(own.at('conv'), [widths[i - 1] ?? 3, width], groups);
    const residual = Array.from({ length: blocks[i]! }, (_, b) => layer(own.at('block').at(b), [width, width], groups));
    return (x) => residual.reduce((h, block) => add(h, block(h)), widen(i === 0 ? x : averagePool(x)));
  });
  const top = widths[widths.length - 1]!;
  const embed = linear(scope.at('features'), [2 * top, features]);
  const classify = linear(scope.at('subjects'), [features, subjects.length]);
  return (pictures) => {
    const outputs: Tensor[] = [];
    for (const level of levels) outputs.push(level(outputs.at(-1) ?? pictures));
    const last = outputs.at(-1)!;
    // The maximum finds a subject that fills a small part of the picture, where the mean drowns it.
    const vector = embed(concat([mean(last, [2, 3]), max(last, [2, 3])], 1));
    return { levels: outputs, vector, logits: classify(silu(vector)) };
  };
}

function layer(scope: Scope, channels: readonly [number, number], groups: number): Module {
  const conv = conv2dLayer(scope, channels, { kernel: 3, pads: [1, 1, 1, 1] });
  const norm = groupNorm(scope.at('norm'), channels[1], { groups });
  return (x) => silu(norm(conv(x)));
}
