/**
 * The denoiser: noisy latents, time and text → velocity. One graph function for training and inference.
 * Knows neither guidance, nor samplers, nor where weights come from.
 */
import { internalError } from '../errors.ts';
import { linear, type Module } from '../nn/linear.ts';
import { layerNorm } from '../nn/norm.ts';
import { fanIn, type Scope, ZEROS } from '../nn/scope.ts';
import {
  type AttentionForm,
  add,
  concat,
  dim,
  gelu,
  matmul,
  reshape,
  type Shape,
  slice,
  type Tensor,
  transpose,
  transposeLast,
} from '../tensor/index.ts';
import type { TransformerConfig } from '../weights/component-config.ts';
import { block, modulate, modulationParts, type Observe } from './block.ts';
import { type Grid, ropeConstants, ropeSplit, rotary } from './rope.ts';
import { adalnSingle } from './timestep.ts';

export type DitInputs = {
  /** [B, F, C, h, w]. */
  readonly latents: Tensor;
  /** `timestepSinusoid(t)`, [B, 256]; t = 0 is noise, t = 1 data. */
  readonly timestep: Tensor;
  /** Step-LLM states [B, L1, D1]. */
  readonly llm: Tensor;
  /** CLIP states [B, L2, D2]; absent where the config has no CLIP path. */
  readonly clip?: Tensor | undefined;
  /** 0 where a position of [CLIP, LLM] is attended and far below zero elsewhere: [B, L]. Text after the first L positions is cut. */
  readonly textBias: Tensor;
};

/** What enters the blocks and, beside the stream, leaves with it. */
export type DitStream = {
  /** Tokens [B, N, D]. */
  readonly x: Tensor;
  /** Embedded time [B, D] and the modulation [B, 6 D] that blocks share. */
  readonly embedded: Tensor;
  readonly modulation: Tensor;
  /** [B, L, D], CLIP states first. */
  readonly text: Tensor;
};

/** The denoiser in the parts that run one after another: whole graphs chain them, streamed ones hold one at a time. */
export type DitParts = {
  enter(inputs: DitInputs, observe?: Observe): DitStream;
  readonly blocks: readonly ReturnType<typeof block>[];
  /** Tokens after the last block -> velocity [B, F, C', h, w]. */
  leave(x: Tensor, embedded: Tensor, grid: Grid, observe?: Observe): Tensor;
};

/** Tokens of latents [B, F, C, h, w]. */
export const gridOf = (latents: Shape, { patch_size: patch }: TransformerConfig): Grid => [
  dim(latents, 1),
  dim(latents, 3) / patch,
  dim(latents, 4) / patch,
];

/** Declares the denoiser's weights under `scope`. */
export function ditParts(scope: Scope, config: TransformerConfig, form: AttentionForm): DitParts {
  const { num_attention_heads: heads, attention_head_dim: headDim, norm_eps: eps, patch_size: patch } = config;
  const width = heads * headDim;
  const embed = patchEmbed(scope.at('pos_embed').at('proj'), config, width);
  const adaln = adalnSingle(scope.at('adaln_single'), width);
  const joinText = textPath(scope, config, width);
  const blocks = Array.from({ length: config.num_layers }, (_, i) =>
    block(scope.at('transformer_blocks').at(i), { heads, headDim, form }),
  );
  const normOut = layerNorm(scope.at('norm_out'), width, { eps, affine: false });
  const table = scope.parameter('scale_shift_table', [2, width], { normal: 1 / Math.sqrt(width) });
  const projOut = linear(scope.at('proj_out'), [width, patch * patch * config.out_channels], { initial: ZEROS });

  const perFrame = (x: Tensor, frames: number): Tensor => reshape(x, [dim(x.shape, 0) * frames, -1, width]);
  return {
    blocks,
    enter(inputs, observe = () => {}) {
      const x = embed(inputs.latents); //                                                 [B, N, D]
      observe('pos_embed', perFrame(x, dim(inputs.latents.shape, 1)));
      const { embedded, modulation } = adaln(inputs.timestep); //                         [B, D], [B, 6 D]
      observe('adaln_single', modulation);
      observe('adaln_single.1', embedded);
      return { x, embedded, modulation, text: joinText(inputs, observe) };
    },
    leave(tokens, embedded, grid, observe = () => {}) {
      const x = normOut(tokens);
      observe('norm_out', perFrame(x, grid[0]));
      const [shift, scale] = modulationParts(table, embedded) as [Tensor, Tensor];
      return unpatch(projOut(modulate(x, scale, shift)), grid, config); //                [B, F, C', h, w]
    },
  };
}

/** The bias [B, L] of text as attention takes it. */
export const textBiasRow = (textBias: Tensor): Tensor =>
  reshape(textBias, [dim(textBias.shape, 0), 1, 1, dim(textBias.shape, 1)]);

/** Declares the denoiser's weights under `scope`; returns its forward pass, inputs → velocity [B, F, C', h, w]. */
export function ditVelocity(
  scope: Scope,
  config: TransformerConfig,
  form: AttentionForm,
): (inputs: DitInputs, observe?: Observe) => Tensor {
  const { enter, blocks, leave } = ditParts(scope, config, form);
  return (inputs, observe = () => {}) => {
    const grid = gridOf(inputs.latents.shape, config);
    const { x: tokens, embedded, modulation, text } = enter(inputs, observe);
    const split = ropeSplit(config);
    const textBias = textBiasRow(inputs.textBias);
    const context = { text, textBias, modulation, rotate: rotary(ropeConstants(grid, split), split) };
    let x = tokens; //                                                                    [B, N, D]
    blocks.forEach((each, i) => {
      const name = `transformer_blocks.${i}`;
      x = each(x, context, (part, y) => observe(`${name}.${part}`, y));
      observe(name, x);
    });
    return leave(x, embedded, grid, observe);
  };
}

/** Squares of `patch` x `patch` latents to tokens: [B, F, C, h, w] -> [B, N, width]. */
function patchEmbed(
  scope: Scope,
  { in_channels: channels, patch_size: patch }: TransformerConfig,
  width: number,
): Module {
  const inner = channels * patch * patch;
  const weight = scope.parameter('weight', [width, channels, patch, patch], fanIn(inner));
  const bias = scope.parameter('bias', [width], ZEROS);
  return (latents) => {
    const [batch, frames, , height, wide] = latents.shape as readonly [number, number, number, number, number];
    if (height % patch !== 0 || wide % patch !== 0)
      throw internalError('patchEmbed', `rows and columns must divide into patches of ${patch}`, latents.shape);
    const squares = reshape(latents, [batch, frames, channels, height / patch, patch, wide / patch, patch]);
    const flat = reshape(transpose(squares, [0, 1, 3, 5, 2, 4, 6]), [batch, -1, inner]); // [B, N, C p p]
    return add(matmul(flat, transposeLast(reshape(weight, [width, inner]))), bias);
  };
}

/** Tokens [B, N, p p C'] -> [B, F, C', h, w]. */
function unpatch(
  x: Tensor,
  [frames, rows, columns]: Grid,
  { out_channels: channels, patch_size: patch }: TransformerConfig,
): Tensor {
  const squares = reshape(x, [-1, frames, rows, columns, patch, patch, channels]);
  return reshape(transpose(squares, [0, 1, 6, 2, 4, 3, 5]), [-1, frames, channels, rows * patch, columns * patch]);
}

/** Both encoders' states to the stream's width, CLIP first, cut to the positions that anyone attends. */
function textPath(
  scope: Scope,
  config: TransformerConfig,
  width: number,
): (inputs: DitInputs, observe: Observe) => Tensor {
  const { caption_channels: channels, norm_eps: eps } = config;
  const [llmWidth, clipWidth] = typeof channels === 'number' ? [channels] : channels;
  const captionNorm = layerNorm(scope.at('caption_norm'), llmWidth, { eps, affine: false });
  const linear1 = linear(scope.at('caption_projection').at('linear_1'), [llmWidth, width]);
  const linear2 = linear(scope.at('caption_projection').at('linear_2'), [width, width]);
  const clipProjection = clipWidth === undefined ? undefined : linear(scope.at('clip_projection'), [clipWidth, width]);
  return ({ llm, clip, textBias }, observe) => {
    if ((clip === undefined) !== (clipProjection === undefined))
      throw internalError('dit', 'CLIP states must be given exactly where the config has them', clip?.shape ?? 'none');
    const normed = captionNorm(llm);
    const caption = linear2(gelu(linear1(normed), 'tanh')); //                            [B, L1, D]
    observe('caption_norm', normed);
    observe('caption_projection', caption);
    const parts = clip && clipProjection ? [clipProjection(clip), caption] : [caption];
    if (parts.length === 2) observe('clip_projection', parts[0] as Tensor);
    const text = slice(concat(parts, 1), 1, 0, dim(textBias.shape, 1)); //                [B, L, D]
    observe('context', text);
    return text;
  };
}
