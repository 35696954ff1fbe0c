/** Two objectives in one loop: who learns from what, when, that it resumes to the bit, and that a discriminator learns to tell. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { linear } from '../../src/nn/linear.ts';
import { Scope } from '../../src/nn/scope.ts';
import { float32, floats, type Value, type Values } from '../../src/runtime/value.ts';
import { add, input } from '../../src/tensor/index.ts';
import { type Adversary, createOpponent, opposedParameters } from '../../src/train/adversary.ts';
import { discriminator, generatorLoss, hingeLoss } from '../../src/train/discriminator.ts';
import { createGradients } from '../../src/train/gradients.ts';
import { initialValues, trainedParameters } from '../../src/train/parameters.ts';
import { type Task, train } from '../../src/train/trainer.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { generator } from '../tensor/values.ts';
import { group, silent, stateOf, toyConfig } from './toy-task.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'adversary-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const options = { device: 'cpu' as const, metrics: silent };
const BATCH = 8;

const drawn = (seed: number, shift: readonly number[]): Value => {
  const random = generator(seed);
  const data = Float32Array.from({ length: BATCH * 2 }, (_, i) => random() - 0.5 + shift[i % 2]!);
  return float32(data, [BATCH, 2]);
};

/** Points that the task shifts, so that a linear judge may take them for those around (2, -1). */
function duel(start = 0, onBatch: (step: number) => void = () => {}): Task & { adversary: Adversary } {
  const [own, other] = [new Scope({ training: true }), new Scope({ training: true })];
  const shift = own.at('generator').parameter('shift', [2], { constant: 0 });
  const judge = linear(other.at('judge'), [2, 1]);
  const made = add(input('points', [BATCH, 2]), shift);
  let kept: Values = {};
  const [seenReal, seenMade] = [input('real', [BATCH, 2]), input('made', [BATCH, 2])];
  return {
    specs: own.specs,
    tensors: own.tensors,
    values: initialValues(own.specs, 1),
    buckets: async () => [
      {
        name: 'points',
        weight: 1,
        samples: BATCH,
        losses: { loss: generatorLoss(judge(made)) },
        made: { made },
        batch(step) {
          onBatch(step);
          return { points: drawn(step, [0, 0]) };
        },
        take: (_, values) => {
          kept = values;
        },
      },
    ],
    validate: async () => ({ score: 0, figures: {} }),
    save: async () => {},
    adversary: {
      specs: other.specs,
      tensors: other.tensors,
      values: initialValues(other.specs, 2),
      groups: [group({ lr: 0.05, weightDecay: 0 })],
      start,
      buckets: [
        {
          name: 'points',
          weight: 1,
          samples: BATCH,
          losses: { loss: hingeLoss(judge(seenReal), judge(seenMade)) },
          batch: (step) => ({ ...kept, real: drawn(step + 1000, [2, -1]) }),
        },
      ],
    },
  };
}

const config = (out: string, change: object = {}) =>
  toyConfig(path.join(scratch, out), { groups: [group({ lr: 0.05, weightDecay: 0 })], ...change });
const copied = (values: ReadonlyMap<string, Value>): Record<string, number[]> =>
  Object.fromEntries([...values].map(([name, value]) => [name, [...floats(value)]]));

async function stateAt(out: string): Promise<Record<string, string>> {
  const file = await openSafetensors(stateOf(path.join(scratch, out)));
  const entries = [...file.tensors].map(async ([name, entry]) => [
    name,
    Buffer.from(await file.readTensor(entry)).toString('hex'),
  ]);
  const state = Object.fromEntries(await Promise.all(entries));
  await file.close();
  return state;
}

describe('gradients', () => {
  it("of the generator are the judge's slope, and reach no weight of the judge", async () => {
    const task = duel();
    const parameters = trainedParameters(task.specs, task.values, { groups: [group({})], average: false });
    const gradients = await createGradients({
      buckets: await task.buckets(undefined),
      tensors: task.tensors,
      parameters,
      accumulate: 1,
      recompute: false,
      device: 'cpu',
      threads: 1,
    });
    await gradients.accumulate(Object.fromEntries([...task.values, ...task.adversary.values]), 0);
    await gradients.dispose();
    expect(parameters.map(({ name }) => name)).toEqual(['generator.shift']);
    const slope = floats(task.adversary.values.get('judge.weight'));
    floats(parameters[0]!.gradient).forEach((g, i) => {
      expect(g).toBeCloseTo(-slope[i]!, 6);
    });
  });

  it("of the judge's step change the judge alone, and begin at its start", async () => {
    const task = duel(1);
    const opponent = await createOpponent(task.adversary, opposedParameters(task.adversary), {
      device: 'cpu',
      threads: 1,
      accumulate: 1,
      clip: 1,
    });
    const bucket = (await task.buckets(undefined))[0]!;
    bucket.take!(0, { made: drawn(3, [0, 0]) });
    const weights = Object.fromEntries([...task.values, ...task.adversary.values]);
    const before = { own: copied(task.values), judge: copied(task.adversary.values) };
    expect(await opponent.step(weights, { step: 1, rate: 1 })).toBeUndefined();
    expect(copied(task.adversary.values)).toEqual(before.judge);
    const learned = await opponent.step(weights, { step: 2, rate: 1 });
    await opponent.dispose();
    expect(learned!.figures['adversary.loss']).toBeGreaterThan(0);
    expect(copied(task.values)).toEqual(before.own);
    expect(copied(task.adversary.values)).not.toEqual(before.judge);
  });
});

describe('a run with an adversary', () => {
  it('that was stopped ends in the state of one that never stopped, to the bit', async () => {
    await train(duel(2), config('straight'), options);
    const controller = new AbortController();
    const stopped = duel(2, (step) => step === 3 && controller.abort());
    const signal = controller.signal;
    await expect(train(stopped, config('parts'), { ...options, signal })).rejects.toMatchObject({ kind: 'aborted' });
    await train(duel(2), config('parts'), options);
    const [whole, resumed] = [await stateAt('straight'), await stateAt('parts')];
    expect(resumed).toEqual(whole);
    expect(Object.keys(whole)).toContain('variance:judge.weight');
  });

  it('is refused a state without one', async () => {
    const { adversary: _, ...alone } = duel();
    const judge = initialValues(duel().adversary.specs, 2);
    // Alone, the judge is a frozen part of the task's own graph.
    const plain = {
      ...alone,
      buckets: async () =>
        (await alone.buckets(undefined)).map((b) => ({
          ...b,
          batch: (s: number) => ({ points: drawn(s, [0, 0]), ...Object.fromEntries(judge) }),
        })),
    };
    const controller = new AbortController();
    controller.abort();
    await train(plain, config('alone'), { ...options, signal: controller.signal }).catch(() => {});
    await expect(train(duel(), config('alone'), options)).rejects.toThrow(
      /weight:judge\.weight must be \[1, 2\], got nothing/,
    );
  });

  it('moves what is made towards what is real', async () => {
    const task = duel();
    await train(
      task,
      config('moves', { steps: 80, schedule: { warmup: 0, flat: 1, decay: 'linear', final: 1 } }),
      options,
    );
    const [x, y] = floats(task.values.get('generator.shift'));
    expect(x).toBeGreaterThan(0.8);
    expect(y).toBeLessThan(-0.4);
  });
});

it('the discriminator learns to tell grain from smooth pictures', async () => {
  const scope = new Scope({ training: true });
  const judge = discriminator(scope.at('d'), [8, 8]);
  const shape = [4, 6, 16, 16];
  const [real, made] = [input('real', shape), input('made', shape)];
  // Both of a step show the same waves, as a picture and its reconstruction do.
  const picture = (seed: number, grain: number): Value => {
    const random = generator(seed);
    const phase = random() * 6;
    const at = (i: number): number => Math.sin(phase + (i % 16) / 4) + grain * (random() - 0.5);
    return float32(
      Float32Array.from({ length: 4 * 6 * 256 }, (_, i) => at(i)),
      shape,
    );
  };
  const values = initialValues(scope.specs, 3);
  const adversary: Adversary = {
    specs: scope.specs,
    tensors: scope.tensors,
    values,
    groups: [group({ lr: 0.003, betas: [0.5, 0.9], weightDecay: 0 })],
    start: 0,
    buckets: [
      {
        name: 'grain',
        weight: 1,
        samples: 4,
        losses: { loss: hingeLoss(judge(real), judge(made)) },
        batch: (step) => ({ real: picture(2 * step, 0), made: picture(2 * step, 1) }),
      },
    ],
  };
  const opponent = await createOpponent(adversary, opposedParameters(adversary), {
    device: 'cpu',
    threads: 1,
    accumulate: 1,
    clip: 1,
  });
  const weights = Object.fromEntries(values);
  const losses: number[] = [];
  for (let step = 1; step <= 40; step++)
    losses.push((await opponent.step(weights, { step, rate: 1 }))!.figures['adversary.loss']!);
  await opponent.dispose();
  // A judge that cannot tell stands at 2.
  expect(losses[0]).toBeGreaterThan(1.8);
  expect(losses.slice(-8).reduce((a, b) => a + b) / 8).toBeLessThan(1.1);
});
