import { describe, expect, it } from 'vitest';
import { gaussian } from '../../src/diffusion/noise.ts';
import { textBias } from '../../src/dit/load.ts';
import { type DitInputs, ditVelocity } from '../../src/dit/model.ts';
import { Scope } from '../../src/nn/scope.ts';
import { compile } from '../../src/runtime/compile.ts';
import { float32, floats, type Value } from '../../src/runtime/value.ts';
import {
  type AttentionForm,
  evaluate,
  input,
  type NDArray,
  ndarray,
  print,
  sameShape,
  sizeOf,
  verify,
} from '../../src/tensor/index.ts';
import { initialValues } from '../../src/train/parameters.ts';
import { parseConfig } from '../../src/weights/component-config.ts';
import { expectedTransformer } from '../../src/weights/manifest.ts';

const tiny = {
  num_attention_heads: 2,
  attention_head_dim: 8,
  num_layers: 1,
  in_channels: 2,
  out_channels: 2,
  caption_channels: [6, 4],
};
const configOf = (change: object = {}) => parseConfig('transformer', { ...tiny, ...change }, 'test');

function model(
  config: ReturnType<typeof configOf>,
  size: { batch: number; frames: number; height: number; width: number; text: number },
  form: AttentionForm = 'primitive',
) {
  const { batch, frames, height, width, text } = size;
  const hasClip = typeof config.caption_channels !== 'number';
  const inputs: DitInputs = {
    latents: input('latents', [batch, frames, config.in_channels, height, width]),
    timestep: input('timestep', [batch, 256]),
    llm: input('llm', [batch, text, 6]),
    ...(hasClip && { clip: input('clip', [batch, 3, 4]) }),
    textBias: input('textBias', [batch, text + (hasClip ? 3 : 0)]),
  };
  const scope = new Scope();
  return { scope, inputs, velocity: ditVelocity(scope, config, form)(inputs) };
}

const wave = (shape: readonly number[], phase: number): NDArray => {
  const array = ndarray(shape, 'float32');
  return { ...array, data: array.data.map((_, i) => Math.sin(phase + 1.7 * i)) };
};

describe('the denoiser as a graph', () => {
  it('declares exactly the tensors that a checkpoint of its config must hold', () => {
    for (const change of [{}, { patch_size: 2 }, { caption_channels: 6 }, { out_channels: 5 }]) {
      const config = configOf(change);
      const { scope } = model(config, { batch: 1, frames: 1, height: 4, width: 2, text: 2 });
      const declared = new Map([...scope.specs.values()].map(({ name, shape }) => [name, shape]));
      const expected = expectedTransformer(config);
      expect([...declared.keys()].sort()).toEqual([...expected.keys()].sort());
      for (const [name, shape] of expected) expect(sameShape(declared.get(name) ?? [], shape), name).toBe(true);
    }
  });

  it('keeps the shape of its latents, at any patch size, and is a legal graph', () => {
    for (const patch_size of [1, 2]) {
      const { velocity } = model(configOf({ patch_size }), { batch: 2, frames: 3, height: 4, width: 6, text: 2 });
      expect(velocity.shape).toEqual([2, 3, 2, 4, 6]);
      verify([velocity]);
      expect(print([velocity])).not.toContain('Attention(');
    }
  });

  it('takes many tokens without logits where a device asks for that, to the same velocity', async () => {
    const size = { batch: 1, frames: 4, height: 16, width: 17, text: 2 };
    const config = configOf({ attention_head_dim: 32 });
    const forms = ['fused', 'flash'] as const;
    const models = forms.map((form) => model(config, size, form));
    expect(models.map(({ velocity }) => print([velocity]).includes('FlashAttention('))).toEqual([false, true]);
    const { scope, inputs } = models[0]!;
    const drawn = (shape: readonly number[], stream: number, scale = 1): Value =>
      float32(
        gaussian({ seed: 5, stream, length: sizeOf(shape) }).map((x) => x * scale),
        shape,
      );
    const feeds = Object.fromEntries([
      ...[...scope.specs.values()].map(({ name, shape }, i) => [name, drawn(shape, i, 0.2)]),
      ...Object.entries(inputs).map(([name, { shape }], i) => [name, drawn(shape, 1000 + i)]),
    ]);
    const [fused, flash] = await Promise.all(
      models.map(async ({ velocity }) => {
        const executable = await compile({ velocity }, { device: 'cpu', threads: 1 });
        const result = await executable.run(feeds);
        await executable.dispose();
        return floats(result.velocity);
      }),
    );
    const largest = Math.max(...fused!.map(Math.abs));
    const deviation = Math.max(...flash!.map((v, i) => Math.abs(v - fused![i]!)));
    expect(largest).toBeGreaterThan(0.1);
    expect(deviation / largest).toBeLessThan(5e-6);
  });

  it('starts with gates half open and a velocity of zero', () => {
    const { scope } = model(configOf(), { batch: 1, frames: 1, height: 2, width: 2, text: 2 });
    const values = initialValues(scope.specs, 1);
    const bias = Array.from(values.get('adaln_single.linear.bias')!.data, Number);
    const part = (i: number) => bias.slice(16 * i, 16 * (i + 1));
    for (const i of [0, 1, 3, 4]) expect(part(i).every((v) => v === 0)).toBe(true);
    for (const i of [2, 5]) expect(part(i).every((v) => v === 0.5)).toBe(true);
    expect(values.get('proj_out.weight')!.data.every((v) => Number(v) === 0)).toBe(true);
  });

  it('does not see text past its length, nor other samples', () => {
    const { scope, inputs, velocity } = model(configOf(), { batch: 2, frames: 2, height: 2, width: 2, text: 4 });
    const bias = textBias([4, 2], 3);
    const feeds = (llm: NDArray): Map<string, NDArray> => {
      const map = new Map<string, NDArray>([
        ['llm', llm],
        ['textBias', ndarray(bias.shape, 'float32', Float64Array.from(bias.data, Number))],
      ]);
      for (const name of ['latents', 'timestep', 'clip'] as const)
        map.set(name, wave(inputs[name]!.shape, name.length));
      [...scope.specs.values()].forEach(({ name, shape }, i) => {
        map.set(name, wave(shape, i));
      });
      return map;
    };
    const whole = wave([2, 4, 6], 0);
    const changed = (index: number): Float64Array => {
      const data = whole.data.slice();
      data[index] = 9;
      return evaluate([velocity], feeds({ ...whole, data }))[0]!.data;
    };
    const before = evaluate([velocity], feeds(whole))[0]!.data;
    const half = before.length / 2;
    const second = 4 * 6;
    expect(changed(second + 2 * 6)).toEqual(before);
    expect(changed(second + 1 * 6).slice(half)).not.toEqual(before.slice(half));
    expect(changed(second + 1 * 6).slice(0, half)).toEqual(before.slice(0, half));
    expect(changed(3 * 6).slice(0, half)).not.toEqual(before.slice(0, half));
  });

  it('refuses CLIP states that its config does not have, and rotary splits that do not add up', () => {
    expect(() =>
      ditVelocity(
        new Scope(),
        configOf({ caption_channels: 6 }),
        'fused',
      )(model(configOf(), { batch: 1, frames: 1, height: 2, width: 2, text: 2 }).inputs),
    ).toThrow('CLIP states');
    expect(() => configOf({ rope_ch_split: [4, 2, 4] })).toThrow('rope_ch_split');
    expect(() => configOf({ rope_ch_split: [3, 3, 2] })).toThrow('rope_ch_split');
    expect(() => configOf({ attention_head_dim: 12 })).toThrow('multiple of 8');
  });
});
