/**
 * A drawn world on disk and the smallest configs that train on it: whole runs of either stage in seconds.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { sha256, spritePath, WORLD_FORMAT, WORLD_FPS } from '../../src/data/world.ts';
import { drawnWorld } from '../data/drawn-world.ts';

/** Writes the drawn world as `data build` writes emoji world; returns its folder. */
export function writeWorld(folder: string): string {
  const world = drawnWorld();
  mkdirSync(path.join(folder, 'sprites'), { recursive: true });
  const subjects = world.subjects.map((subject) => {
    const { pixels } = world.sprite(subject.id);
    writeFileSync(spritePath(folder, subject.codepoint), pixels);
    return { ...subject, sha256: sha256(pixels) };
  });
  const file = { format: WORLD_FORMAT, fps: WORLD_FPS, fingerprint: 'drawn', packages: [], subjects };
  writeFileSync(path.join(folder, 'world.json'), JSON.stringify(file));
  return folder;
}

const shared = (root: string) => ({
  out: path.join(root, 'runs'),
  data: path.join(root, 'data'),
  threads: 1,
  validateSteps: 100,
  logSteps: 1,
});

/** Two steps on 32-pixel crops of stills. */
export const vaeConfig = (root: string) => ({
  ...shared(root),
  stage: 'vae',
  name: 'vae',
  steps: 2,
  model: {
    encoder: { ch: 4, ch_mult: [1, 1, 1, 2], num_res_blocks: 1 },
    decoder: { ch: 4, ch_mult: [1, 1, 1, 2], num_res_blocks: 0 },
    z_channels: 2,
    channels: 32,
    num_groups: 2,
  },
  buckets: [{ frames: 1, crop: 32, batch: 2, flat: true }],
  previewClips: 1,
  groups: [
    { pattern: 'conv_unpatchify.*weight$', optimizer: 'muon', lr: 0.05, scale: 'fan', split: 8, lastTap: true },
    { pattern: '.', optimizer: 'adamw', lr: 0.002, betas: [0.9, 0.95] },
  ],
});

/** Two steps of a classifier on crops and whole frames. */
export const featuresConfig = (root: string) => ({
  ...shared(root),
  stage: 'features',
  name: 'features',
  steps: 2,
  model: { widths: [4, 4, 4, 8, 8], blocks: [0, 0, 0, 0, 1], num_groups: 2, features: 6 },
  buckets: [{ crop: 32, batch: 3 }, { batch: 1 }],
  groups: [{ pattern: '.', optimizer: 'adamw', lr: 0.002 }],
});

/** Two steps on six stills, with a grid at the end; needs the VAE run above. */
export const ditConfig = (root: string) => ({
  ...shared(root),
  stage: 'dit',
  name: 'dit',
  steps: 2,
  vae: path.join(root, 'runs', 'vae', 'last'),
  latents: path.join(root, 'latents'),
  model: {
    transformer: {
      attention_head_dim: 32,
      attention_type: 'parallel',
      caption_channels: [16, 16],
      in_channels: 2,
      norm_elementwise_affine: false,
      norm_eps: 1e-6,
      norm_type: 'ada_norm_single',
      num_attention_heads: 1,
      num_layers: 2,
      out_channels: 2,
      patch_size: 1,
      use_additional_conditions: false,
    },
    step_llm: {
      hidden_size: 16,
      num_layers: 1,
      num_attention_heads: 2,
      num_attention_groups: 1,
      kv_channels: 8,
      ffn_hidden_size: 32,
      layernorm_epsilon: 1e-5,
      seq_length: 320,
      max_position_embeddings: 320,
    },
    hunyuan_clip: {
      architectures: ['BertModel'],
      model_type: 'bert',
      hidden_act: 'gelu',
      hidden_size: 16,
      intermediate_size: 32,
      layer_norm_eps: 1e-12,
      num_attention_heads: 2,
      num_hidden_layers: 1,
      pad_token_id: 0,
      position_embedding_type: 'absolute',
      type_vocab_size: 2,
    },
    clipTokens: 24,
  },
  buckets: [{ frames: 1, batch: 3, clips: 6 }],
  groups: [
    { pattern: 'transformer_blocks.*(wqkv|wo).weight$', optimizer: 'muon', lr: 0.003, weightDecay: 0.02 },
    { pattern: '.', optimizer: 'adamw', lr: 0.001, betas: [0.9, 0.95] },
  ],
  ema: 0.9,
  sampleSteps: 100,
  validationClips: 10,
});
