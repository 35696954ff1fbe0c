import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { OFFICIAL } from '../../bench/parts/synthetic-checkpoint.ts';
import { checkpointName } from '../../src/weights/checkpoint.ts';
import { type Component, components, parseConfig } from '../../src/weights/component-config.ts';
import { expectedTensors } from '../../src/weights/manifest.ts';
import { elementCount } from '../../src/weights/tensor-entry.ts';
import { inferVaeConfig } from '../../src/weights/vae-manifest.ts';
import { golden } from './temporary.ts';

type Manifest = { parameters: number; tensors_count: number; tensors: Record<string, number[]> };

/** Recording of each component. */
const MANIFESTS: { readonly [C in Component]: string } = {
  transformer: 'transformer',
  vae: 'vae_v2',
  step_llm: 'step_llm',
  hunyuan_clip: 'hunyuan_clip',
};

describe.each(components)('full-size %s', (component) => {
  const recorded = JSON.parse(readFileSync(golden('manifests', `${MANIFESTS[component]}.json`), 'utf8')) as Manifest;
  const expected = expectedTensors(component, OFFICIAL[component]);

  it('maps completely: every name and shape of the manifest, and no other', () => {
    const named = Object.fromEntries([...expected].map(([name, shape]) => [checkpointName(component, name), shape]));
    expect(named).toEqual(recorded.tensors);
    expect(expected.size).toBe(recorded.tensors_count);
    expect([...expected.values()].reduce((n, shape) => n + elementCount(shape), 0)).toBe(recorded.parameters);
  });
});

describe('inferred VAE config', () => {
  const recorded = JSON.parse(readFileSync(golden('manifests/vae_v2.json'), 'utf8')) as Manifest;
  const shapes = () => new Map(Object.entries(recorded.tensors).map(([name, shape]) => [name, { shape }]));

  it('is the official one from the full-size shapes', () => {
    expect(inferVaeConfig(shapes())).toEqual(OFFICIAL.vae);
  });

  it('comes back from its own expected tensors, for other sizes', () => {
    const config = {
      encoder: { ch: 8, ch_mult: [1, 3, 6, 12], num_res_blocks: 1 },
      decoder: { ch: 16, ch_mult: [1, 1, 2, 6], num_res_blocks: 3 },
      z_channels: 32,
      channels: 256,
      num_groups: 8,
    };
    const expected = expectedTensors('vae', parseConfig('vae', config, 'mini'));
    const inferred = inferVaeConfig(new Map([...expected].map(([name, shape]) => [name, { shape }])));
    expect({ ...inferred, num_groups: 8 }).toEqual(config);
  });

  it('names the tensor that is missing', () => {
    const some = shapes();
    some.delete('decoder.conv_in.conv.weight');
    expect(() => inferVaeConfig(some, 'x/vae_v2.safetensors')).toThrow(
      /infer VAE config x\/vae_v2\.safetensors: decoder\.conv_in\.conv\.weight must be there.*vae_v2/,
    );
  });

  it('refuses widths that are no multiples of the first', () => {
    const some = shapes();
    some.set('encoder.down.2.block.0.conv1.conv.weight', { shape: [500, 256, 3, 3, 3] });
    expect(() => inferVaeConfig(some)).toThrow(/multiple of its first, 32, got 500/);
  });
});

describe('configs', () => {
  const { vae, step_llm: llm, hunyuan_clip: clip } = OFFICIAL;
  it.each<[Component, unknown, RegExp]>([
    ['transformer', { num_layers: '48' }, /config f: num_layers must suit transformer: .*got 48/],
    ['transformer', { num_layers: 0 }, /num_layers must suit transformer.*got 0/],
    ['transformer', { use_additional_conditions: true }, /use_additional_conditions must suit transformer/],
    ['transformer', [], /the config must suit transformer/],
    ['step_llm', { ...llm, hidden_size: undefined }, /hidden_size must suit step_llm.*got nothing/],
    ['step_llm', { ...llm, num_attention_groups: 5 }, /num_attention_heads must be a multiple of num_attention_groups/],
    ['vae', { ...vae, num_groups: 24 }, /must divide every width/],
    ['vae', { ...vae, channels: 2047 }, /channels must be a multiple of 8/],
    ['vae', { ...vae, z_channels: 2, channels: 40 }, /channels must divide 8 times/],
    ['vae', { ...vae, encoder: { ch: 32, ch_mult: [4, 8, 16], num_res_blocks: 2 } }, /encoder\.ch_mult must suit vae/],
    ['hunyuan_clip', { ...clip, hidden_size: 1000 }, /multiple of num_attention_heads/],
  ])('of %s are refused: %#', (component, config, message) => {
    expect(() => parseConfig(component, config, 'f')).toThrow(message);
  });

  it('keep fields that only models read', () => {
    expect(
      parseConfig(
        'transformer',
        { attention_head_dim: 64, rope_ch_split: [32, 16, 16], out_channels: null, in_channels: 8 },
        'f',
      ),
    ).toMatchObject({
      rope_ch_split: [32, 16, 16],
      out_channels: 8,
      num_layers: 48,
    });
  });

  it('of one caption width have no CLIP path', () => {
    const expected = expectedTensors(
      'transformer',
      parseConfig('transformer', { caption_channels: 96, num_layers: 1 }, 'f'),
    );
    expect(expected.has('clip_projection.weight')).toBe(false);
    expect(expected.get('caption_projection.linear_1.weight')).toEqual([6144, 96]);
  });
});
