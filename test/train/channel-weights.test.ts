/** Weights of latent channels by what a decoder makes of them, alone and in a run's loss. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gaussian } from '../../src/diffusion/noise.ts';
import { channelWeights } from '../../src/train/channel-weights.ts';
import { runTraining } from '../../src/train/run.ts';
import { openSafetensors, writeSafetensors } from '../../src/weights/safetensors.ts';
import { ditConfig, vaeConfig, writeWorld } from './tiny-runs.ts';

const root = mkdtempSync(path.join(tmpdir(), 'channels-'));
const vae = path.join(root, 'runs', 'vae', 'last');
const runtime = { device: 'cpu', threads: 1 } as const;
const set = { latents: gaussian({ seed: 5, length: 2 * 2 * 16 }), captions: [['a'], ['b']], shape: [1, 2, 4, 4] };

async function run(config: { readonly name: string }): Promise<Record<string, number>[]> {
  const configPath = path.join(root, `${config.name}.json`);
  writeFileSync(configPath, JSON.stringify(config));
  await runTraining({ configPath, show: () => {} });
  const lines = readFileSync(path.join(root, 'runs', config.name, 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n');
  return lines.map((line) => JSON.parse(line));
}

/** Scales what the decoder reads of channel 1. */
async function scaleSecondChannel(factor: number): Promise<void> {
  const file = path.join(vae, 'vae', 'vae_v2.safetensors');
  const source = await openSafetensors(file);
  const tensors = await Promise.all(
    [...source.tensors.values()].map(async (entry) => {
      const data = (await source.readFloat32(entry)).slice();
      const taps = 27;
      if (entry.name === 'decoder.conv_in.conv.weight')
        for (let i = 0; i < data.length; i++) if (Math.floor(i / taps) % 2 === 1) data[i]! *= factor;
      return { name: entry.name, dtype: 'F32' as const, shape: [...entry.shape], data };
    }),
  );
  await source.close();
  await writeSafetensors(file, tensors);
}

beforeAll(async () => {
  writeWorld(path.join(root, 'data'));
  await run(vaeConfig(root));
});
afterAll(() => rmSync(root, { recursive: true }));

describe('weights of latent channels', () => {
  it('have mean 1, and are all 1 at exponent 0', async () => {
    expect(await channelWeights(set, { vae, exponent: 0, ...runtime })).toEqual([1, 1]);
    const [a, b] = await channelWeights(set, { vae, exponent: 0.5, ...runtime });
    expect((a! + b!) / 2).toBeCloseTo(1, 2);
    expect(Math.abs(a! - b!)).toBeGreaterThan(0.001);
  });

  it('weigh the loss that is trained on, not the one that validates', async () => {
    const dit = { ...ditConfig(root), sampleSteps: undefined };
    const [alike, weighed] = [await run(dit), await run({ ...dit, name: 'weighed', decoderExponent: 1 } as never)];
    expect(weighed[0]!['loss']).not.toBe(alike[0]!['loss']);
    expect(weighed[0]!['loss']).toBeCloseTo(alike[0]!['loss']!, 0);
    // Two steps from the same weights: nearly the same networks, of which all channels are asked.
    expect(weighed.at(-1)!['loss']).toBeCloseTo(alike.at(-1)!['loss']!, 2);
  });

  it('follow the decoder: a channel that it reads more counts more', async () => {
    const [, before] = await channelWeights(set, { vae, exponent: 0.5, ...runtime });
    await scaleSecondChannel(1.5);
    const [, more] = await channelWeights(set, { vae, exponent: 0.5, ...runtime });
    expect(more).toBeGreaterThan(before!);
    await scaleSecondChannel(0); // left: the shortcut beside the first convolution
    const [, less] = await channelWeights(set, { vae, exponent: 0.5, ...runtime });
    expect(less).toBeLessThan(before!);
  });

  it('need a VAE that was published with the scale of its latents', async () => {
    const file = path.join(vae, 'vae', 'config.json');
    const { latents_mean: _, latents_std: __, ...config } = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify(config));
    await expect(channelWeights(set, { vae, exponent: 1, ...runtime })).rejects.toThrow(
      /^train: decoderExponent needs a VAE published with latents_std/,
    );
  });
});
