/** The feature network: shapes, independence of the batch, folders, what is refused. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FeatureConfig } from '../../src/features/config.ts';
import { type FeatureNetwork, largestOfRows, loadFeatureNetwork, saveFeatureNetwork } from '../../src/features/load.ts';
import { featureNetwork } from '../../src/features/network.ts';
import { Scope } from '../../src/nn/scope.ts';
import { input } from '../../src/tensor/index.ts';
import { initialValues } from '../../src/train/parameters.ts';
import { generator } from '../tensor/values.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'features-'));
afterAll(() => rmSync(folder, { recursive: true }));

const config: FeatureConfig = {
  name: 'tiny',
  subjects: ['box', 'disk', 'ring'],
  sizes: { widths: [4, 4, 8, 8, 8], blocks: [0, 1, 0, 0, 1], num_groups: 4, features: 5 },
};
const random = generator(7);
const noise = (length: number): Uint8Array => Uint8Array.from({ length }, () => Math.floor(256 * random()));

let network: FeatureNetwork;
beforeAll(async () => {
  const scope = new Scope();
  featureNetwork(scope, config);
  await saveFeatureNetwork(folder, config, initialValues(scope.specs, 1));
  network = await loadFeatureNetwork(folder, { device: 'cpu', threads: 1 });
});
afterAll(() => network.close());

it('halves every level and pools to one vector', () => {
  const { levels, vector, logits } = featureNetwork(new Scope(), config)(input('x', [2, 3, 32, 48]));
  expect(levels.map((level) => level.shape)).toEqual([
    [2, 4, 32, 48],
    [2, 4, 16, 24],
    [2, 8, 8, 12],
    [2, 8, 4, 6],
    [2, 8, 2, 3],
  ]);
  expect([vector.shape, logits.shape]).toEqual([
    [2, 5],
    [2, 3],
  ]);
});

describe('a loaded network', () => {
  it('gives a frame the same features alone and among more frames than run at once', async () => {
    const size = { width: 16, height: 32, frames: 19 };
    const bytes = size.width * size.height * 3;
    const pixels = noise(size.frames * bytes);
    const all = await network.features(pixels, size);
    expect(all).toHaveLength(19 * network.width);
    for (const t of [0, 15, 16, 18]) {
      const one = await network.features(pixels.subarray(t * bytes, (t + 1) * bytes), { ...size, frames: 1 });
      one.forEach((x, i) => {
        expect(all[t * 5 + i]).toBeCloseTo(x, 4);
      });
    }
    expect(Math.abs(all[0]! - all[5]!)).toBeGreaterThan(1e-4);
  });

  it('names the likeliest subject of each frame, with probabilities that sum to 1', async () => {
    const { ids, probabilities } = await network.classify(noise(3 * 16 * 16 * 3), { width: 16, height: 16, frames: 3 });
    for (let t = 0; t < 3; t++) {
      const row = [...probabilities.subarray(3 * t, 3 * t + 3)];
      expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
      expect(row[ids[t]!]).toBe(Math.max(...row));
    }
    expect([network.name, network.width, network.subjects]).toEqual(['tiny', 5, config.subjects]);
  });

  it('refuses sizes that it cannot halve and pixels of another size', async () => {
    const run = (width: number, bytes: number) =>
      network.features(new Uint8Array(bytes), { width, height: 16, frames: 1 });
    await expect(run(24, 24 * 16 * 3)).rejects.toThrow(/features: sides must be multiples of 16, got \[24, 16\]/);
    await expect(run(16, 5)).rejects.toThrow(/features: 1 frames of 16x16 must have 3 bytes a pixel, got 5/);
  });
});

it('finds the largest of each row', () => {
  expect([...largestOfRows(Float32Array.of(1, 3, 2, -1, -3, -2), 3)]).toEqual([1, 0]);
});

describe('a folder is refused', () => {
  const load = (from: string) => loadFeatureNetwork(from, { device: 'cpu' });
  it('where nothing lies', async () => {
    await expect(load(path.join(folder, 'none'))).rejects.toThrow(/features .*config\.json: the file must exist/);
  });

  it.each([
    [{ ...config, sizes: { ...config.sizes, num_groups: 3 } }, /sizes: num_groups must divide every width/],
    [{ ...config, subjects: [] }, /subjects: /],
    [{ ...config, sizes: { ...config.sizes, features: 6 } }, /misshapen/],
  ])('where its config is wrong or another one', async (changed, message) => {
    const file = path.join(folder, 'config.json');
    const before = readFileSync(file);
    writeFileSync(file, JSON.stringify(changed));
    const loading = load(folder);
    await expect(loading).rejects.toThrow(message);
    await expect(loading).rejects.toMatchObject({ kind: 'checkpoint' });
    writeFileSync(file, before);
  });
});
