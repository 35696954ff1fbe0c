/** Numbers of a run: lines for people, records for machines, rates that leave out what is not training. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openMetrics } from '../../src/train/metrics.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'metrics-'));
afterAll(() => rmSync(scratch, { recursive: true }));

type Line = [text: string, isFinal: boolean];

function opened(name: string, every = 2) {
  const folder = path.join(scratch, name);
  const lines: Line[] = [];
  let clock = 100;
  const metrics = openMetrics(folder, { every, show: (...line) => lines.push(line), now: () => clock });
  const records = (): Record<string, unknown>[] =>
    readFileSync(path.join(folder, 'metrics.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
  const step = (at: number): void => {
    clock += 2;
    metrics.step({
      step: at,
      steps: 10,
      seconds: clock,
      samples: 6,
      flops: 4e9,
      dataSeconds: 0.1,
      rate: 1,
      gradientNorm: 1 / 3,
      loss: 0.25,
    });
  };
  const wait = (seconds: number): void => {
    clock += seconds;
  };
  return { folder, lines, metrics, records, step, wait };
}

it('shows loss, gradient, samples/s, GFLOP/s and what is left, and records the same', () => {
  const { lines, metrics, records, step } = opened('line');
  metrics.begin(0);
  for (const at of [1, 2, 3, 4]) step(at);
  expect(lines.at(-1)).toEqual([
    'step 4/10  loss 0.2500  gradient 0.333  3.0 samples/s  2.0 GFLOP/s  12 s left',
    false,
  ]);
  expect(lines).toHaveLength(3);
  expect(records().at(-1)).toEqual({
    kind: 'step',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    step: 4,
    steps: 10,
    seconds: 108,
    samples: 6,
    rate: 1,
    gradientNorm: 0.333333,
    loss: 0.25,
    samplesPerSecond: 3,
    gflops: 2,
    dataShare: 0.05,
  });
});

it('leaves out the time of validations, whose lines stay', async () => {
  const { lines, metrics, records, step, wait } = opened('aside');
  metrics.begin(0);
  step(1);
  await metrics.aside(async () => wait(500));
  metrics.validated({ step: 1, seconds: 200, score: 20.5, ssim: 0.9 });
  step(2);
  expect(lines[1]).toEqual(['validation at 1 (3 min 20 s): score 20.500  ssim 0.900', true]);
  expect(records().at(-1)).toMatchObject({ samplesPerSecond: 3 });
  expect(records()[1]).toMatchObject({ kind: 'validation', step: 1, seconds: 200, score: 20.5, ssim: 0.9 });
});

it('forgets what came after the state that a run goes on from, and a line cut short', () => {
  const { folder, metrics, records, step } = opened('resumed', 1);
  metrics.begin(0);
  for (const at of [1, 2, 3]) step(at);
  appendFileSync(path.join(folder, 'metrics.jsonl'), '{"kind":"step","st');
  metrics.begin(2);
  expect(records().map((record) => record.step)).toEqual([1, 2]);
  step(3);
  expect(records().map((record) => record.step)).toEqual([1, 2, 3]);
});

it('says what share of the time went into waiting for batches, once it is worth saying', () => {
  const { lines, metrics, records, wait } = opened('data', 2);
  const record = { steps: 4, seconds: 1, samples: 1, flops: 1, rate: 1, gradientNorm: 1, loss: 1 };
  metrics.begin(0);
  [0.4, 0.2, 0.2, 0.6].forEach((dataSeconds, i) => {
    wait(1);
    metrics.step({ ...record, step: i + 1, dataSeconds });
  });
  expect(records().map(({ dataShare }) => dataShare)).toEqual([0.4, 0.2, 0.4]);
  expect(lines.at(-1)![0]).toContain('data 40 %');
});

it('records what changed in the config where a run goes on, and why one stopped', () => {
  const { lines, metrics, records, step } = opened('changed', 1);
  const changes = [{ field: 'groups.0.lr', from: 0.1, to: 0.01 }];
  metrics.stopped('before it began');
  metrics.begin(0, changes);
  step(1);
  metrics.begin(1, changes);
  metrics.stopped('enough');
  expect(
    records()
      .map(({ time, ...record }) => record)
      .slice(1),
  ).toEqual([
    { kind: 'change', step: 1, changes },
    { kind: 'stopped', step: 1, reason: 'enough' },
  ]);
  expect(lines.at(-1)).toEqual(['from step 1 on: groups.0.lr 0.01', true]);
});

it('a folder that cannot be written is an environment error', () => {
  const metrics = openMetrics('/dev/null/run', { every: 1, show: () => {} });
  expect(() => metrics.validated({ step: 1, seconds: 1, score: 1 })).toThrow(
    /train: \/dev\/null\/run must be writable/,
  );
});
