/** Both stages whole, on a drawn world: files of a run, resume, a pipeline from what was trained, caches of another VAE. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emojiSource } from '../../src/data/emoji-source.ts';
import { loadPipeline } from '../../src/pipeline.ts';
import { presetOf } from '../../src/presets.ts';
import { nameOf, reachable, sizeOf } from '../../src/tensor/index.ts';
import { averageModels } from '../../src/train/average-models.ts';
import { type DitTraining, readTrainingConfig } from '../../src/train/config.ts';
import { drawSamples } from '../../src/train/dit-samples.ts';
import { ditTask } from '../../src/train/dit-task.ts';
import { knownStatistics, normalise } from '../../src/train/latent-statistics.ts';
import { runTraining } from '../../src/train/run.ts';
import { readTrainingRecord } from '../../src/training-record.ts';
import { loadPreviews } from '../../src/vae/preview.ts';
import { openSafetensors, writeSafetensors } from '../../src/weights/safetensors.ts';
import { drawnWorld } from '../data/drawn-world.ts';
import { ditConfig, vaeConfig, writeWorld } from './tiny-runs.ts';

const root = mkdtempSync(path.join(tmpdir(), 'runs-'));
const at = (...parts: string[]): string => path.join(root, ...parts);
afterAll(() => rmSync(root, { recursive: true }));

async function run(config: object, lines: string[] = []): Promise<string> {
  const configPath = at('config.json');
  writeFileSync(configPath, JSON.stringify(config));
  return runTraining({ configPath, show: (line) => lines.push(line) });
}

async function weightsOf(file: string): Promise<Record<string, string>> {
  const source = await openSafetensors(file);
  const entries = [...source.tensors].map(async ([name, entry]) => [
    name,
    Buffer.from(await source.readTensor(entry)).toString('base64'),
  ]);
  const weights = Object.fromEntries(await Promise.all(entries));
  await source.close();
  return weights;
}

beforeAll(async () => {
  writeWorld(at('data'));
  await run(vaeConfig(root));
  await run(ditConfig(root));
});

describe('a VAE run', () => {
  it('leaves a state, weights, numbers and a picture', () => {
    expect(readdirSync(at('runs', 'vae')).sort()).toEqual([
      'best',
      'config.json',
      'last',
      'metrics.jsonl',
      'report.html',
      'samples',
      'state.safetensors',
    ]);
    expect(readdirSync(at('runs', 'vae', 'samples'))).toEqual(['step-000002.png']);
    const records = readFileSync(at('runs', 'vae', 'metrics.jsonl'), 'utf8')
      .trimEnd()
      .split('\n');
    expect(records.map((line) => JSON.parse(line).kind)).toEqual(['step', 'step', 'validation']);
    const report = readFileSync(at('runs', 'vae', 'report.html'), 'utf8');
    expect(report).toContain('<dd>2<small>of 2</small></dd>');
    expect(report).toContain('src="data:image/webp;base64,');
  });

  it('leaves a map of its previews in either folder, which the denoiser trained on it carries along', async () => {
    for (const model of ['vae/best', 'vae/last', 'dit/last'])
      expect(await loadPreviews(at('runs', model))).not.toHaveProperty('missing');
    const files = ['vae', 'dit'].map((name) => readFileSync(at('runs', name, 'last', 'vae', 'preview.safetensors')));
    expect(files[0]!.equals(files[1]!)).toBe(true);
  });

  it('leaves mean and deviation of its latents, which the denoiser trained on it takes as they are', async () => {
    const configs = ['vae', 'dit'].map((name) =>
      JSON.parse(readFileSync(at('runs', name, 'last', 'vae', 'config.json'), 'utf8')),
    );
    expect(configs[0].latents_mean).toHaveLength(2);
    expect(Math.min(...configs[0].latents_std)).toBeGreaterThan(0);
    expect(configs[1]).toEqual(configs[0]);

    const { latents_mean: mean, latents_std: deviation } = configs[0];
    const clip = { latents: Float32Array.from([mean[0], mean[1] + 2 * deviation[1]]), shape: [1, 2, 1, 1] };
    normalise(clip, (await knownStatistics(at('runs', 'vae', 'last')))!);
    expect([...clip.latents]).toEqual([expect.closeTo(0, 5), expect.closeTo(2, 4)]);
  });

  it('goes the same way where activations are recomputed', async () => {
    await run({ ...vaeConfig(root), name: 'again', recompute: true });
    const last = (name: string) => JSON.parse(readFileSync(at('runs', name, 'metrics.jsonl'), 'utf8').split('\n')[1]!);
    expect(last('again').loss).toBeCloseTo(last('vae').loss, 4);
    expect(last('again').gradientNorm).toBeCloseTo(last('vae').gradientNorm, 3);
  });
});

describe('a denoiser run', () => {
  it('leaves a whole model that the pipeline runs, and a grid of samples', async () => {
    const model = at('runs', 'dit', 'last');
    const pipeline = await loadPipeline(model, { device: 'cpu', preset: presetOf(model), threads: 1 });
    expect(presetOf(model)).toMatchObject({ frames: 1, fps: 12 });
    const record = readTrainingRecord(model)!;
    expect(record).toMatchObject({ format: 1, frames: [1], motions: ['still'], pairs: false, paraphrases: true });
    expect(record.subjects).not.toContain('wheel'); // nobody trains on it
    const text = await pipeline.encodeText(['a disk on a red background']);
    await pipeline.close();
    expect(text).toBeDefined();
    const { width, height } = await sharp(at('runs', 'dit', 'samples', 'step-000002.png')).metadata();
    expect(width).toBe(2 * 128 + 2);
    expect(height).toBeGreaterThan(4 * 128);
  });

  it('draws grids of clips as well as of stills', async () => {
    const file = at('clips.png');
    await drawSamples({
      model: at('runs', 'dit', 'last'),
      source: emojiSource(drawnWorld()),
      frames: 17,
      file,
      device: 'cpu',
    });
    expect((await sharp(file).metadata()).width).toBe(6 * 128 + 5 * 2);
  });

  it('goes on to the bit after a stop, from latents that are then cached', async () => {
    const config = { ...ditConfig(root), name: 'stopped', steps: 3, sampleSteps: undefined };
    await run({ ...config, name: 'straight' });
    const controller = new AbortController();
    const configPath = at('stopped.json');
    writeFileSync(configPath, JSON.stringify(config));
    const show = (line: string): void => {
      if (line.startsWith('step 1/')) controller.abort();
    };
    await expect(runTraining({ configPath, show, signal: controller.signal })).rejects.toMatchObject({
      kind: 'aborted',
    });
    expect(readFileSync(at('runs', 'stopped', 'report.html'), 'utf8')).toContain('train: stopped after step 1 of 3');
    await runTraining({ configPath });
    expect(await weightsOf(at('runs', 'stopped', 'state.safetensors'))).toEqual(
      await weightsOf(at('runs', 'straight', 'state.safetensors')),
    );
  });

  it('goes the same way where activations are recomputed', async () => {
    await run({ ...ditConfig(root), name: 'less-memory', recompute: true, sampleSteps: undefined });
    const second = (name: string) =>
      JSON.parse(readFileSync(at('runs', name, 'metrics.jsonl'), 'utf8').split('\n')[1]!);
    expect(second('less-memory').loss).toBeCloseTo(second('dit').loss, 5);
  });

  it('refuses latents of another VAE, and starts from a model with the words that it knows', async () => {
    cpSync(at('runs', 'vae', 'last'), at('other'), { recursive: true });
    const file = at('other', 'vae', 'vae_v2.safetensors');
    const source = await openSafetensors(file);
    const tensors = await Promise.all(
      [...source.tensors.values()].map(async (entry) => ({
        name: entry.name,
        dtype: 'F16' as const,
        shape: [...entry.shape],
        data: (await source.readFloat32(entry)).map((x) => x * 1.5),
      })),
    );
    await source.close();
    await writeSafetensors(file, tensors);
    const other = run({ ...ditConfig(root), name: 'other', vae: at('other') });
    await expect(other).rejects.toThrow(/latents .*clips-1-seed0-0000\.safetensors: must be of this VAE's encoder/);
    await expect(other).rejects.toMatchObject({ kind: 'data' });

    const start = at('start');
    cpSync(at('runs', 'dit', 'last'), start, { recursive: true });
    const vocabulary = path.join(start, 'hunyuan_clip', 'tokenizer', 'vocab.txt');
    writeFileSync(vocabulary, readFileSync(vocabulary, 'utf8').replace('\nwedge\n', '\nzebra\n'));
    const lines: string[] = [];
    await run({ ...ditConfig(root), name: 'started', start, model: undefined, sampleSteps: undefined }, lines);
    expect(lines.join('\n')).toMatch(
      /^1 words of the captions are not in the vocabularies of .*start, which at most spell them: wedge$/m,
    );
    const saved = readFileSync(at('runs', 'started', 'last', 'hunyuan_clip', 'tokenizer', 'vocab.txt'), 'utf8');
    expect(saved).toContain('\nzebra\n');

    writeFileSync(vocabulary, '[PAD]\n');
    await expect(run({ ...ditConfig(root), name: 'spoilt', start })).rejects.toThrow(/vocab\.txt/);
  });
});

describe('clips of several lengths and shapes', () => {
  const balanced = () => ({
    ...ditConfig(root),
    name: 'balanced',
    sampleSteps: undefined,
    steps: 3,
    buckets: [
      { frames: 1, batch: 2, clips: 4 },
      { frames: 17, batch: 8, clips: 2, weight: 2 },
      { frames: 34, batch: 8, clips: 2, aspect: 'landscape' },
    ],
    balance: { gflops: 0.05, stills: 2, window: 3 },
  });

  it('train in steps of about equal arithmetic', async () => {
    await run(balanced());
    const records = readFileSync(at('runs', 'balanced', 'metrics.jsonl'), 'utf8')
      .trimEnd()
      .split('\n');
    const steps = records.map((line) => JSON.parse(line)).filter(({ kind }) => kind === 'step');
    expect(steps).toHaveLength(3);
    for (const step of steps) expect(Number.isFinite(step.loss)).toBe(true);
    const names = new Set(steps.flatMap((step) => Object.keys(step).filter((name) => name.endsWith('.loss'))));
    expect(names).toContain('1.loss');
    const clips = steps.flatMap((step) => Object.keys(step).filter((name) => /^(17|34 landscape)\.loss$/.test(name)));
    expect(clips).toHaveLength(3); // one shape of clips a step
    const validation = records.map((line) => JSON.parse(line)).find(({ kind }) => kind === 'validation');
    expect(Object.keys(validation).filter((name) => name.startsWith('loss t '))).toHaveLength(5);
  });

  it('count every latent of a balanced step alike', async () => {
    writeFileSync(at('config.json'), JSON.stringify({ ...balanced(), name: 'weighed' }));
    const task = await ditTask((await readTrainingConfig(at('config.json'))) as DitTraining, {
      device: 'cpu',
      show: () => {},
    });
    const buckets = await task.buckets(undefined);
    const latents = buckets.map(({ losses }) => {
      const target = reachable([losses.loss]).find((x) => x.op === 'Input' && nameOf(x) === 'target')!;
      return sizeOf(target.shape);
    });
    for (const [i, { weight }] of buckets.entries())
      expect(weight / latents[i]!).toBe(buckets[0]!.weight / latents[0]!);
    expect(new Set(latents).size).toBe(3);
    await task.dispose?.();
  });

  it('need stills to fill with', async () => {
    const config = { ...balanced(), name: 'unfilled', buckets: [{ frames: 17, batch: 1, clips: 2 }] };
    await expect(run(config)).rejects.toThrow(/balance: needs one bucket of stills/);
  });
});

describe('an average of models', () => {
  it('holds the mean of every weight, beside the files of the first', async () => {
    const second = await run({
      ...ditConfig(root),
      name: 'second',
      seed: 9,
      vae: at('runs', 'vae', 'last'),
      latents: at('latents-9'),
      sampleSteps: undefined,
    });
    const [a, b] = [at('runs', 'dit', 'last'), path.join(second, 'last')];
    cpSync(path.join(a, 'vae'), path.join(b, 'vae'), { recursive: true });
    await averageModels([a, b], at('average'));
    const name = 'transformer/diffusion_pytorch_model.safetensors';
    const floats = async (folder: string) => {
      const source = await openSafetensors(path.join(folder, name));
      const values = await source.readFloat32(source.tensors.get('proj_out.weight')!);
      await source.close();
      return values.slice();
    };
    const [x, y, mean] = [await floats(a), await floats(b), await floats(at('average'))];
    expect(Math.max(...x.map((v, i) => Math.abs(v - y[i]!)))).toBeGreaterThan(4e-4);
    expect(Math.max(...mean.map((v, i) => Math.abs(v - (x[i]! + y[i]!) / 2)))).toBeLessThan(1e-4);
    expect(existsSync(at('average', 'model_index.json'))).toBe(true);
    await expect(averageModels([a], at('one'))).rejects.toThrow(/two models at least/);
    writeFileSync(path.join(b, 'hunyuan_clip', 'tokenizer', 'vocab.txt'), '[PAD]');
    await expect(averageModels([a, b], at('other-words'))).rejects.toThrow(/vocab.txt must equal that of/);
    expect(existsSync(at('other-words'))).toBe(false);
  });
});

it('training data that were changed are refused', async () => {
  const file = at('data', 'sprites', 'disk.bin');
  const bytes = readFileSync(file);
  const spoilt = Uint8Array.from(bytes);
  spoilt[5]! ^= 1;
  writeFileSync(file, spoilt);
  await expect(run({ ...vaeConfig(root), name: 'spoilt' })).rejects.toThrow(/disk\.bin must have sha256/);
  writeFileSync(file, bytes);
});
