/** Staged unfreezing: the configs' patterns at official names, the core and what follows it, terms with networks of their own. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadFeatureNetwork } from '../../src/features/load.ts';
import { float32, floats } from '../../src/runtime/value.ts';
import { readTrainingConfig, type VaeTraining } from '../../src/train/config.ts';
import { trainedParameters } from '../../src/train/parameters.ts';
import { runTraining } from '../../src/train/run.ts';
import { type Task, train } from '../../src/train/trainer.ts';
import { vaeTask } from '../../src/train/vae-task.ts';
import { loadVae } from '../../src/vae/load.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { featuresConfig, vaeConfig, writeWorld } from './tiny-runs.ts';
import { silent } from './toy-task.ts';

const root = mkdtempSync(path.join(tmpdir(), 'stages-'));
afterAll(() => rmSync(root, { recursive: true }));
beforeAll(() => void writeWorld(path.join(root, 'data')));
const runs = fileURLToPath(new URL('../../runs', import.meta.url));
const file = (name: string, config: object): string => {
  const configPath = path.join(root, `${name}.json`);
  writeFileSync(configPath, JSON.stringify({ ...config, name }));
  return configPath;
};

describe('the configs of staged unfreezing', () => {
  const manifest = fileURLToPath(new URL('../golden/parity/manifests/vae_v2.json', import.meta.url));
  const { tensors } = JSON.parse(readFileSync(manifest, 'utf8')) as { tensors: Record<string, number[]> };
  // Module names differ from the file's at one place.
  const official = Object.keys(tensors).map((name) => name.replace(/^(decoder\.conv_out)\./, '$1.conv.'));
  const DUAL_PATHS = [
    'encoder.conv_patchify.conv.conv',
    'encoder.conv_out.conv',
    'decoder.conv_in.conv',
    'decoder.conv_unpatchify.conv.conv',
  ].flatMap((module) => [`${module}.weight`, `${module}.bias`]);
  const isMid = (name: string): boolean =>
    /^(encoder|decoder)\.mid\./.test(name) || name.startsWith('encoder.norm_out');

  /** Which official parameters a config trains. */
  async function trained(name: string): Promise<string[]> {
    const config = (await readTrainingConfig(path.join(runs, `${name}.json`))) as VaeTraining;
    const specs = new Map(official.map((n) => [n, { name: n, shape: [1], initial: { constant: 0 } }]));
    const values = new Map(official.map((n) => [n, float32(new Float32Array(1), [1])]));
    return trainedParameters(specs, values, { groups: config.groups, average: false }).map((p) => p.name);
  }

  it.each([
    ['vae-staged-1-core', (name: string) => !DUAL_PATHS.includes(name)],
    ['vae-staged-2-dual-paths', (name: string) => DUAL_PATHS.includes(name)],
    ['vae-staged-3-mid', (name: string) => DUAL_PATHS.includes(name) || isMid(name)],
    ['vae-staged-4-backbone', () => true],
  ])('%s trains what it says', async (name, isTrained) => {
    expect(official).toHaveLength(262);
    expect((await trained(name)).sort()).toEqual(official.filter(isTrained).sort());
  });

  it('follow each other', async () => {
    const names = readdirSync(runs).filter((name) => name.startsWith('vae-staged'));
    const configs = (await Promise.all(
      names.sort().map((n) => readTrainingConfig(path.join(runs, n))),
    )) as VaeTraining[];
    expect(configs.map(({ start }) => start)).toEqual([
      undefined,
      ...configs.slice(0, -1).map(({ name }) => `checkpoints/${name}/last`),
    ]);
  });
});

describe('a features run', () => {
  it('leaves a network that loads, and its accuracies', async () => {
    const folder = await runTraining({ configPath: file('features', featuresConfig(root)) });
    const network = await loadFeatureNetwork(path.join(folder, 'last'), { device: 'cpu', threads: 1 });
    expect(network.subjects).toContain('wheel');
    const size = { width: 32, height: 32, frames: 2 };
    expect(await network.features(new Uint8Array(2 * 32 * 32 * 3), size)).toHaveLength(2 * network.width);
    await network.close();
    const lines = readFileSync(path.join(folder, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
    const validation = JSON.parse(lines.at(-1)!) as Record<string, number>;
    for (const name of ['score', 'worn', 'crops', 'pairs']) {
      expect(validation[name]).toBeGreaterThanOrEqual(0);
      expect(validation[name]).toBeLessThanOrEqual(1);
    }
  });
});

const still = { frames: 1, crop: 16, batch: 2, flat: true };
const clip = { frames: 17, crop: 16, batch: 1 };

/** A VAE run without its validation, which costs more than all steps; figures of each step go to `seen`. */
async function trainedVae(name: string, change: object, seen: Record<string, number>[] = [], stopAfter?: number) {
  const config = (await readTrainingConfig(file(name, { ...vaeConfig(root), ...change }))) as VaeTraining;
  const task = await vaeTask(config, { device: 'cpu', show: () => {} });
  const controller = new AbortController();
  const quiet: Task = { ...task, validate: async () => ({ score: 0, figures: {} }) };
  const metrics = {
    ...silent,
    step(record: Record<string, number>) {
      seen.push(record);
      if (record.step === stopAfter) controller.abort();
    },
  };
  const done = train(quiet, config, { device: 'cpu', metrics, signal: controller.signal });
  const folder = await (stopAfter === undefined ? done : done.catch(() => ''));
  return { folder, task, config };
}

async function tensorsOf(path: string): Promise<Record<string, string>> {
  const source = await openSafetensors(path);
  const entries = [...source.tensors].map(async ([name, entry]) => [
    name,
    Buffer.from(await source.readTensor(entry)).toString('base64'),
  ]);
  const tensors = Object.fromEntries(await Promise.all(entries));
  await source.close();
  return tensors;
}

describe('the core', () => {
  const adamw = { pattern: '.', optimizer: 'adamw', lr: 0.002 };
  const dual = 'conv_patchify|encoder[.]conv_out|decoder[.]conv_in|conv_unpatchify';

  it('trains without the dual paths, and the next stage begins with what it leaves', async () => {
    const groups = [{ pattern: dual, optimizer: 'frozen' }, adamw];
    const seen: Record<string, number>[] = [];
    // Recomputed, since what the core leaves out must not be kept.
    const change = { core: { z_channels: 3 }, buckets: [clip], groups, recompute: true };
    const first = await trainedVae('core', change, seen);
    const { specs, values, buckets } = first.task;
    expect(specs.get('core.encoder.weight')!.shape).toEqual([6, 8, 3, 3, 3]);
    expect(specs.get('core.decoder.weight')!.shape).toEqual([8, 3, 3, 3, 3]);
    // Latents of 4x8x8: 5 frames of 2x2 for 17 frames of 16x16.
    const [video] = await buckets(undefined);
    expect((await video!.batch(0, 0)).noise!.shape).toEqual([1, 5, 3, 2, 2]);
    expect(seen.every(({ loss }) => Number.isFinite(loss))).toBe(true);
    const fresh = (await vaeTask(first.config, { device: 'cpu', show: () => {} })).values;
    const changed = [...values].filter(([name, v]) => floats(v).some((x, i) => x !== floats(fresh.get(name))[i]));
    expect(changed.map(([name]) => name)).toContain('core.encoder.weight');
    expect(changed.map(([name]) => name).filter((name) => new RegExp(dual).test(name))).toEqual([]);

    const start = path.join(first.folder, 'last');
    await (await loadVae(start, { device: 'cpu', threads: 1 })).close();
    const frozen = [{ pattern: `^(?!.*(${dual}))`, optimizer: 'frozen' }, adamw];
    const second = await trainedVae('dual', { start, buckets: [still], groups: frozen });
    const [before, after] = await Promise.all(
      [start, path.join(second.folder, 'last')].map((at) => tensorsOf(path.join(at, 'vae', 'vae_v2.safetensors'))),
    );
    const moved = Object.keys(before!).filter((name) => after![name] !== before![name]);
    expect(moved.length).toBeGreaterThan(4);
    expect(moved.filter((name) => !new RegExp(dual).test(name))).toEqual([]);
  });
});

describe('a VAE run with temporal, perceptual and adversarial terms', () => {
  const loss = () => ({
    temporal: 0.5,
    perceptual: { weight: 0.1, features: path.join(root, 'runs', 'features', 'last') },
    adversarial: { weight: 0.1, start: 1, ramp: 2, widths: [8, 8], lr: 1e-3 },
  });
  /** One layer learns: the backward pass of a whole VAE takes longer to compile than all steps to run. */
  const groups = [
    { pattern: 'decoder[.]conv_out', optimizer: 'adamw', lr: 0.002 },
    { pattern: '.', optimizer: 'frozen' },
  ];

  it('reports each of a clip, the adversary from its start on', async () => {
    const seen: Record<string, number>[] = [];
    await trainedVae('reports', { steps: 3, buckets: [clip], loss: loss(), groups }, seen);
    expect(seen.map((record) => record['adversary.loss'] !== undefined)).toEqual([false, true, true]);
    for (const record of seen) {
      expect(record.perceptual).toBeGreaterThan(0);
      expect(record.perceptual).toBeLessThan(2);
      expect(Number.isFinite(record.adversarial)).toBe(true);
    }
  });

  it('goes on to the bit after a stop', async () => {
    const change = { steps: 3, buckets: [still], accumulate: 2, loss: loss(), groups };
    await trainedVae('whole', change);
    await trainedVae('stopped', change, [], 2);
    await trainedVae('stopped', change);
    const [whole, stopped] = await Promise.all(
      ['whole', 'stopped'].map((name) => tensorsOf(path.join(root, 'runs', name, 'state.safetensors'))),
    );
    expect(stopped).toEqual(whole);
    const names = Object.keys(whole!);
    expect(names).toContain('moment:discriminator.judge.weight');
    // The frozen feature network is no part of the run.
    expect(names.filter((name) => /^weight:(?!encoder|decoder|discriminator)/.test(name))).toEqual([]);
  });

  it('adds them to the loss by their weights', async () => {
    const [plain, terms]: Record<string, number>[][] = [[], []];
    const only = { steps: 1, buckets: [still], groups };
    await trainedVae('plain', only, plain);
    await trainedVae('terms', { ...only, loss: loss() }, terms);
    // Before its start the adversary weighs nothing.
    expect(terms![0]!.loss).toBeCloseTo(plain![0]!.loss! + 0.1 * terms![0]!.perceptual!, 5);
  });
});
