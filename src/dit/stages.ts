/**
 * The denoiser as stages: what enters, each block, what leaves. The same parts as in one graph, with values between them.
 * Knows shapes and names of values; does not know where weights are.
 */
import { Scope } from '../nn/scope.ts';
import type { StagedNetwork } from '../runtime/stages.ts';
import { float32 } from '../runtime/value.ts';
import { type AttentionForm, input, type Shape } from '../tensor/index.ts';
import type { TransformerConfig } from '../weights/component-config.ts';
import { type DitInputs, ditParts, gridOf, textBiasRow } from './model.ts';
import { ropeSplit, ropeTables, rotary } from './rope.ts';

/** Stages of a denoiser whose inputs have the shapes `fed`, tokens in pieces of `tile`; the last one gives `velocity`. */
export function ditStages(
  config: TransformerConfig,
  form: AttentionForm,
  fed: Readonly<Partial<Record<keyof DitInputs, Shape>>>,
  tile?: number,
): StagedNetwork {
  const { enter, blocks, leave } = ditParts(new Scope(), config, form);
  const inputs = Object.fromEntries(Object.entries(fed).map(([name, shape]) => [name, input(name, shape)]));
  const given = inputs as unknown as DitInputs;
  const entered = enter(given);
  const split = ropeSplit(config);
  const grid = gridOf(given.latents.shape, config);
  const tables = ropeTables(grid, split);
  const table = [grid[0] * grid[1] * grid[2], config.attention_head_dim];

  const x = input('x', entered.x.shape);
  const context = {
    text: input('text', entered.text.shape),
    textBias: textBiasRow(given.textBias),
    modulation: input('modulation', entered.modulation.shape),
    rotate: rotary({ cos: input('cos', table), sin: input('sin', table) }, split),
    tile,
  };
  return {
    stages: [
      { name: 'time and text', outputs: entered },
      ...blocks.map((block, i) => ({ name: `transformer_blocks.${i}`, outputs: { x: block(x, context) } })),
      { name: 'velocity', outputs: { velocity: leave(x, input('embedded', entered.embedded.shape), grid) } },
    ],
    constants: { cos: float32(tables.cos, table), sin: float32(tables.sin, table) },
  };
}
