/** The loop: resume to the bit, abort, bad numbers, frozen and ungrouped parameters, accumulation, buckets, what is saved when. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { floats } from '../../src/runtime/value.ts';
import type { TrainingConfig } from '../../src/train/config.ts';
import { createGradients } from '../../src/train/gradients.ts';
import { openMetrics } from '../../src/train/metrics.ts';
import { trainedParameters } from '../../src/train/parameters.ts';
import { type Task, train } from '../../src/train/trainer.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { group, hasModel, silent, stateOf, type ToyOptions, toyConfig, toyTask } from './toy-task.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'trainer-'));
afterAll(() => rmSync(scratch, { recursive: true }));
let runs = 0;
const fresh = (): string => path.join(scratch, String(runs++));
const options = { device: 'cpu' as const, metrics: silent };

/** Every tensor of a state as hexadecimal text, and its position. */
async function stateAt(out: string): Promise<{ tensors: Record<string, string>; step: number }> {
  const file = await openSafetensors(stateOf(out));
  const tensors: Record<string, string> = {};
  for (const [name, entry] of file.tensors) tensors[name] = Buffer.from(await file.readTensor(entry)).toString('hex');
  await file.close();
  return { tensors, step: (JSON.parse(file.metadata.position!) as { step: number }).step };
}

/** A signal that fires when the batch of `step` is asked for, so that the loop stops after that step. */
function stopAt(step: number, more: ToyOptions = {}) {
  const controller = new AbortController();
  const task = toyTask({ ...more, onBatch: (at) => at === step && controller.abort() });
  return { task, signal: controller.signal };
}

describe('resume', () => {
  it('of a run stopped by its signal ends in the state of a run that never stopped, to the bit', async () => {
    const [straight, parts] = [fresh(), fresh()];
    await train(toyTask(), toyConfig(straight), options);
    const { task, signal } = stopAt(2);
    await expect(train(task, toyConfig(parts), { ...options, signal })).rejects.toMatchObject({
      kind: 'aborted',
      message: expect.stringMatching(/^train: stopped after step 3 of 6 \(try the same command/),
    });
    expect((await stateAt(parts)).step).toBe(3);
    expect(hasModel(parts, 'last')).toBe(true);
    await train(toyTask(), toyConfig(parts), options);
    const [whole, resumed] = [await stateAt(straight), await stateAt(parts)];
    expect(resumed).toEqual(whole);
    expect(whole.step).toBe(6);
    expect(Object.keys(whole.tensors).filter((name) => name.startsWith('variance:'))).toHaveLength(2);
  });

  it('of a run that is done takes no step', async () => {
    const out = fresh();
    await train(toyTask(), toyConfig(out), options);
    const asked: number[] = [];
    await train(toyTask({ onBatch: (step) => asked.push(step) }), toyConfig(out), options);
    expect(asked).toEqual([]);
  });

  it.each([
    ['another width', { width: 7 }, {}, /resume .*weight:first\.weight must be \[7, 3\], got \[6, 3\]/],
    ['another optimizer', {}, { groups: [group({})] }, /variance:first\.weight must be \[6, 3\], got nothing/],
    ['no averages', {}, { ema: undefined }, /every tensor must have a place, got average:/],
  ])('refuses a state of %s', async (_, toy, change, message) => {
    const out = fresh();
    const { task, signal } = stopAt(0);
    await train(task, toyConfig(out), { ...options, signal }).catch(() => {});
    const before = await stateAt(out);
    const again = train(toyTask(toy), toyConfig(out, change), options);
    await expect(again).rejects.toThrow(message);
    await expect(again).rejects.toMatchObject({ kind: 'checkpoint' });
    expect(await stateAt(out)).toEqual(before);
  });
});

describe('numbers that are not finite', () => {
  it('stop the run at once, naming the step, and leave the last good state', async () => {
    const out = fresh();
    const { task, signal } = stopAt(1);
    await train(task, toyConfig(out), { ...options, signal }).catch(() => {});
    const good = await stateAt(out);
    const asked: number[] = [];
    const spoilt = toyTask({
      onBatch(step, x) {
        asked.push(step);
        if (step === 4) x[0] = Number.NaN;
      },
    });
    const run = train(spoilt, toyConfig(out), options);
    await expect(run).rejects.toMatchObject({ kind: 'numeric' });
    await expect(run).rejects.toThrow(/^train step 5: loss must be finite, got NaN .*holds the last good state/);
    expect(asked).toEqual([2, 3, 4]);
    expect(await stateAt(out)).toEqual(good);
  });

  it('are never saved, though only a weight has them', async () => {
    const out = fresh();
    const { task, signal } = stopAt(1);
    floats(task.values.get('first.bias'))[0] = Number.POSITIVE_INFINITY;
    const config = toyConfig(out, { groups: [group({ pattern: 'bias', optimizer: 'frozen' }), group({})] });
    // tanh hides an infinite bias from the loss.
    await expect(train(task, config, { ...options, signal })).rejects.toThrow(
      /^train step 2: weight:first\.bias must be finite, got Infinity/,
    );
    await expect(stateAt(out)).rejects.toThrow();
  });

  it('as a score stop the run too', async () => {
    const task = toyTask({ score: () => Number.NaN });
    await expect(train(task, toyConfig(fresh()), options)).rejects.toThrow(
      'train step 3: score must be finite, got NaN',
    );
  });
});

describe('a loss that explodes', () => {
  /** A toy whose targets are multiplied by `factor(step)`, steps counted from 0. */
  function exploding(factor: (step: number) => number, toy: ToyOptions = {}): Task {
    const task = toyTask(toy);
    return {
      ...task,
      buckets: async (signal) =>
        (await task.buckets(signal)).map((bucket) => ({
          ...bucket,
          async batch(step: number, micro: number) {
            const values = await bucket.batch(step, micro);
            floats(values.y).forEach((y, i, all) => {
              all[i] = y * factor(step);
            });
            return values;
          },
        })),
    };
  }
  const long = (out: string, change: Partial<TrainingConfig> = {}) =>
    toyConfig(out, { steps: 32, validateSteps: 100, ...change });
  const saving = { checkpointMinutes: 1e-9 };

  it('stops the run, naming the step, and leaves the state from before', async () => {
    const [straight, out] = [fresh(), fresh()];
    await train(toyTask(), long(straight), options);
    const run = train(
      exploding((step) => (step >= 24 ? 100 : 1)),
      long(out, saving),
      options,
    );
    await expect(run).rejects.toMatchObject({ kind: 'numeric' });
    await expect(run).rejects.toThrow(
      /^train step 29: loss must stay below 10 times its running median of [\d.]+, and was above for 5 steps, got \d.*\(try a lower learning rate; .*toy holds the last good state\)$/,
    );
    const good = await stateAt(out);
    expect(good.step).toBe(24);
    // Behind the explosion the run goes the way of one that never met it.
    await train(toyTask(), long(out), options);
    expect((await stateAt(out)).tensors).toEqual((await stateAt(straight)).tensors);
  });

  it('keeps the state from before though the run is stopped by hand on the way up', async () => {
    const out = fresh();
    const controller = new AbortController();
    const onBatch = (step: number): void => {
      if (step === 26) controller.abort();
    };
    const task = exploding((step) => (step >= 24 ? 100 : 1), { onBatch });
    await expect(train(task, long(out, saving), { ...options, signal: controller.signal })).rejects.toThrow(
      'train: stopped after step 27 of 32 (try the same command, which goes on from the state before the loss rose)',
    );
    expect((await stateAt(out)).step).toBe(24);
  });

  it('is not one spike, nor what `explodes` allows', async () => {
    await train(
      exploding((step) => (step === 24 ? 100 : 1)),
      long(fresh()),
      options,
    );
    await train(
      exploding((step) => (step >= 24 ? 100 : 1)),
      long(fresh(), { explodes: 1e9 }),
      options,
    );
  });
});

describe('a run that goes on with another learning rate', () => {
  it('does so from its state, and says at which step what changed', async () => {
    const out = fresh();
    const folder = path.join(out, 'toy');
    const metrics = openMetrics(folder, { every: 1, show: () => {} });
    const { task, signal } = stopAt(2);
    await train(task, toyConfig(out), { ...options, metrics, signal }).catch(() => {});
    const kept = () => JSON.parse(readFileSync(path.join(folder, 'config.json'), 'utf8'));
    expect(kept()).toEqual(JSON.parse(JSON.stringify(toyConfig(out))));
    const stopped = await stateAt(out);

    const still = group({ optimizer: 'adamw', lr: 1e-30, weightDecay: 0 });
    const groups = [{ ...still, pattern: 'weight$', optimizer: 'muon' as const }, still];
    const changed = toyConfig(out, { groups });
    await train(toyTask(), changed, { ...options, metrics });
    const after = await stateAt(out);
    expect(after.step).toBe(6);
    for (const [name, hex] of Object.entries(stopped.tensors)) {
      if (name.startsWith('weight:')) expect(after.tensors[name], name).toBe(hex);
      if (name.startsWith('moment:')) expect(after.tensors[name], name).not.toBe(hex);
    }
    const records = readFileSync(path.join(folder, 'metrics.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(records.filter(({ kind }) => kind === 'change')).toMatchObject([
      { step: 3, changes: expect.arrayContaining([{ field: 'groups.0.lr', from: 0.02, to: 1e-30 }]) },
    ]);
    expect(records.filter(({ kind }) => kind === 'step').map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(kept().groups[0].lr).toBe(1e-30);
  });
});

describe('groups', () => {
  it('leave frozen parameters as they were, to the bit', async () => {
    const out = fresh();
    const task = toyTask();
    const before = new Map([...task.values].map(([name, value]) => [name, floats(value).slice()]));
    await train(
      task,
      toyConfig(out, { groups: [group({ pattern: '^first', optimizer: 'frozen' }), group({})] }),
      options,
    );
    for (const [name, value] of task.values) {
      const isFrozen = name.startsWith('first');
      if (isFrozen) expect(floats(value), name).toEqual(before.get(name));
      else expect(floats(value), name).not.toEqual(before.get(name));
    }
    expect(Object.keys((await stateAt(out)).tensors)).not.toContain('moment:first.weight');
  });

  it.each([
    [[group({ pattern: 'weight' })], /groups must cover every parameter, got first\.bias \(try a last group/],
    [[group({ pattern: 'wieght' }), group({})], /every group must take some parameter, got wieght/],
    [[group({ optimizer: 'frozen' })], /some group must not be frozen/],
  ])('that make no sense are refused before any work', async (groups, message) => {
    const asked: number[] = [];
    const run = train(toyTask({ onBatch: (step) => asked.push(step) }), toyConfig(fresh(), { groups }), options);
    await expect(run).rejects.toThrow(message);
    await expect(run).rejects.toMatchObject({ kind: 'input' });
    expect(asked).toEqual([]);
  });
});

describe('gradients', () => {
  /** Gradients of one step by name, with their norm and figures. */
  async function gradientsOf(toy: ToyOptions, recompute = false) {
    const task = toyTask(toy);
    const parameters = trainedParameters(task.specs, task.values, { groups: [group({})], average: false });
    const gradients = await createGradients({
      buckets: await task.buckets(undefined),
      tensors: task.tensors,
      parameters,
      accumulate: toy.accumulate ?? 1,
      recompute,
      device: 'cpu',
      threads: 1,
    });
    const step = await gradients.accumulate(Object.fromEntries(task.values), 0);
    await gradients.dispose();
    return { ...step, flat: parameters.flatMap((p) => [...floats(p.gradient)]) };
  }
  const worst = (a: number[], b: number[]): number => Math.max(...a.map((x, i) => Math.abs(x - b[i]!)));

  it('of k micro batches are those of one batch of k times the size', async () => {
    const one = await gradientsOf({ buckets: [{ batch: 12, weight: 1 }] });
    const four = await gradientsOf({ buckets: [{ batch: 3, weight: 1 }], accumulate: 4 });
    expect(worst(four.flat, one.flat)).toBeLessThan(1e-6);
    expect(four.norm).toBeCloseTo(one.norm, 5);
    expect(four.figures.loss).toBeCloseTo(one.figures.loss!, 5);
    expect(four.samples).toBe(12);
    expect(one.norm).toBeCloseTo(Math.hypot(...one.flat), 5);
  });

  it('of two buckets are their mean by weight, and so are the losses', async () => {
    const pair = [
      { batch: 4, weight: 3 },
      { batch: 2, weight: 1 },
    ];
    const both = await gradientsOf({ buckets: pair });
    const first = await gradientsOf({ buckets: [pair[0]!, { ...pair[1]!, weight: 1e-12 }] });
    const second = await gradientsOf({ buckets: [{ ...pair[0]!, weight: 1e-12 }, pair[1]!] });
    const mean = first.flat.map((g, i) => 0.75 * g + 0.25 * second.flat[i]!);
    expect(worst(both.flat, mean)).toBeLessThan(1e-6);
    expect(worst(first.flat, second.flat)).toBeGreaterThan(0.01);
    expect(both.figures['b0.loss']).toBeCloseTo(first.figures.loss!, 6);
    expect(both.figures.loss).toBeCloseTo(0.75 * first.figures.loss! + 0.25 * second.figures.loss!, 6);
  });

  it('are the same where activations are recomputed', async () => {
    const [kept, again] = [await gradientsOf({}), await gradientsOf({}, true)];
    expect(worst(again.flat, kept.flat)).toBeLessThan(1e-7);
    expect(again.norm).toBeCloseTo(kept.norm, 6);
  });
});

it('clips by the global norm', async () => {
  // AdamW forgets the scale of gradients, so the moment is where clipping shows.
  const norms: number[] = [];
  const metrics = { ...silent, step: ({ gradientNorm }: { gradientNorm: number }) => void norms.push(gradientNorm) };
  const out = fresh();
  await train(toyTask(), toyConfig(out, { steps: 1, clip: 0.01, groups: [group({ betas: [0, 0.9] })] }), {
    ...options,
    metrics,
  });
  const { tensors } = await stateAt(out);
  const moments = Object.entries(tensors).flatMap(([name, hex]) =>
    name.startsWith('moment:') ? [...new Float32Array(new Uint8Array(Buffer.from(hex, 'hex')).buffer)] : [],
  );
  expect(norms[0]).toBeGreaterThan(0.1);
  expect(Math.hypot(...moments)).toBeCloseTo(0.01, 6);
});

it('saves the best and the last weights, validating every so many steps', async () => {
  const out = fresh();
  const seen: number[] = [];
  const best: number[] = [];
  const task = toyTask({
    score(step) {
      seen.push(step);
      return -Math.abs(step - 3);
    },
  });
  const save = task.save.bind(task);
  const watched = {
    ...task,
    save: (weights: Parameters<typeof save>[0], folder: string) => {
      if (folder.endsWith('best')) best.push(seen.at(-1)!);
      return save(weights, folder);
    },
  };
  await train(watched, toyConfig(out, { steps: 7 }), options);
  expect(seen).toEqual([3, 6, 7]);
  expect(best).toEqual([3]);
  expect([hasModel(out, 'best'), hasModel(out, 'last')]).toEqual([true, true]);
});

it('steps before a grid or a validation that fails are kept, and the run goes on behind them', async () => {
  const [broken, straight] = [fresh(), fresh()];
  const draw = (): Promise<never> => Promise.reject(new Error('no picture'));
  const run = train({ ...toyTask(), samples: { every: 2, draw } }, toyConfig(broken), options);
  await expect(run).rejects.toThrow('no picture');
  expect((await stateAt(broken)).step).toBe(2);
  await train(toyTask(), toyConfig(broken), options);
  await train(toyTask(), toyConfig(straight), options);
  expect((await stateAt(broken)).tensors).toEqual((await stateAt(straight)).tensors);
});

it('a disk that refuses is an environment error that names the folder', async () => {
  const task = toyTask();
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  const run = train({ ...task, save: () => Promise.reject(full) }, toyConfig(fresh()), options);
  await expect(run).rejects.toMatchObject({ kind: 'environment' });
  await expect(run).rejects.toThrow(/toy must be writable, got ENOSPC.*\(try freeing disk space/);
});
