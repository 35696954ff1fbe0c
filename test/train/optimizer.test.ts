/** Optimizer graphs against plain TypeScript: AdamW by its formula, Muon by plain loops; groups, clipping, rates, averages. */
import { describe, expect, it } from 'vitest';
import { float32, floats } from '../../src/runtime/value.ts';
import type { GroupConfig } from '../../src/train/config.ts';
import { createOptimizer, type OptimizerStep } from '../../src/train/optimizer.ts';
import type { Parameter } from '../../src/train/parameters.ts';
import { generator } from '../tensor/values.ts';

const GROUP: GroupConfig = {
  pattern: '.',
  optimizer: 'adamw',
  lr: 0.01,
  weightDecay: 0,
  betas: [0.9, 0.999],
  eps: 1e-8,
  momentum: 0.9,
  scale: 'rms',
  split: 1,
  lastTap: false,
};

const fill = (length: number, seed: number): Float32Array => {
  const random = generator(seed);
  return Float32Array.from({ length }, () => 2 * random() - 1);
};

function parameterOf(name: string, shape: number[], group: Partial<GroupConfig>, average = false): Parameter {
  const size = shape.reduce((a, b) => a * b, 1);
  const zeros = () => float32(new Float32Array(size), shape);
  const value = float32(fill(size, name.length), shape);
  return {
    name,
    value,
    gradient: zeros(),
    group: { ...GROUP, ...group },
    moment: zeros(),
    ...(group.optimizer !== 'muon' && { variance: zeros() }),
    ...(average && { average: float32(floats(value).slice(), shape) }),
  };
}

const GRADIENT_SCALE = 3;

/** Takes `steps` steps, each with gradients of its own; `rates` and `clip` as the trainer would give them. */
async function run(parameters: Parameter[], steps: number, averageDecay?: number): Promise<OptimizerStep[]> {
  const optimizer = await createOptimizer(parameters, { device: 'cpu', threads: 1, averageDecay });
  const taken: OptimizerStep[] = [];
  for (let step = 1; step <= steps; step++) {
    parameters.forEach((p, i) => {
      floats(p.gradient).set(gradientOf(p, i, step));
    });
    const at = { rate: 1 / step, clip: step === 2 ? 0.25 : 1, step };
    await optimizer.step(at);
    taken.push(at);
  }
  await optimizer.dispose();
  return taken;
}

const gradientOf = (p: Parameter, i: number, step: number): Float32Array =>
  fill(floats(p.value).length, 100 * step + i).map((g) => g * GRADIENT_SCALE);

/** Loshchilov and Hutter 2019, algorithm 2, in doubles. */
function plainAdamw(p: Parameter, index: number, steps: OptimizerStep[]): Float64Array {
  const { lr, weightDecay, eps } = p.group;
  const [beta1, beta2] = p.group.betas;
  const weight = Float64Array.from(fill(floats(p.value).length, p.name.length));
  const m = new Float64Array(weight.length);
  const v = new Float64Array(weight.length);
  for (const { rate, clip, step } of steps) {
    const gradient = gradientOf(p, index, step);
    for (let i = 0; i < weight.length; i++) {
      const g = gradient[i]! * clip;
      m[i] = beta1 * m[i]! + (1 - beta1) * g;
      v[i] = beta2 * v[i]! + (1 - beta2) * g * g;
      const unbiased = m[i]! / (1 - beta1 ** step) / (Math.sqrt(v[i]! / (1 - beta2 ** step)) + eps);
      weight[i] = weight[i]! * (1 - lr * rate * weightDecay) - lr * rate * unbiased;
    }
  }
  return weight;
}

type Matrix = number[][];
const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, x, k) => sum + x * b[k]![j]!, 0)));
const transposed = (a: Matrix): Matrix => a[0]!.map((_, j) => a.map((row) => row[j]!));
const combined = (a: Matrix, b: Matrix, [s, t]: [number, number]): Matrix =>
  a.map((row, i) => row.map((x, j) => s * x + t * b[i]![j]!));

/** Five Newton-Schulz iterations on the wide form (Jordan et al. 2024). */
function plainOrthogonal(matrix: Matrix): Matrix {
  const isTall = matrix.length > matrix[0]!.length;
  const wide = isTall ? transposed(matrix) : matrix;
  const norm = Math.sqrt(wide.flat().reduce((sum, x) => sum + x * x, 0)) + 1e-7;
  let x = wide.map((row) => row.map((value) => value / norm));
  for (let i = 0; i < 5; i++) {
    const gram = product(x, transposed(x));
    const polynomial = combined(gram, product(gram, gram), [-4.775, 2.0315]);
    x = combined(x, product(polynomial, x), [3.4445, 1]);
  }
  return isTall ? transposed(x) : x;
}

/** Muon over a weight read as `rows` x the rest, in `split` parts; the direction is that of Nesterov momentum. */
function plainMuon(p: Parameter, index: number, steps: OptimizerStep[]): Float64Array {
  const { lr, weightDecay, momentum, split, scale } = p.group;
  const weight = Float64Array.from(fill(floats(p.value).length, p.name.length));
  const m = new Float64Array(weight.length);
  const rows = p.value.shape[0]!;
  const columns = weight.length / rows;
  const height = rows / split;
  const size = scale === 'fan' ? Math.sqrt(height / columns) : 0.2 * Math.sqrt(Math.max(height, columns));
  for (const { rate, clip, step } of steps) {
    const g = gradientOf(p, index, step).map((x) => x * clip);
    for (let i = 0; i < m.length; i++) m[i] = momentum * m[i]! + g[i]!;
    const nesterov = Array.from(g, (x, i) => x + momentum * m[i]!);
    for (let part = 0; part < split; part++) {
      const at = (r: number, c: number): number => (part * height + r) * columns + c;
      const matrix = Array.from({ length: height }, (_, r) =>
        Array.from({ length: columns }, (_, c) => nesterov[at(r, c)]!),
      );
      plainOrthogonal(matrix).forEach((row, r) => {
        row.forEach((direction, c) => {
          const i = at(r, c);
          weight[i] = weight[i]! * (1 - lr * rate * weightDecay) - lr * rate * size * direction;
        });
      });
    }
  }
  return weight;
}

const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (x, i) => Math.abs(x - b[i]!)));

describe('AdamW', () => {
  it('follows its formula in every group, each with betas, rate, decay and epsilon of its own', async () => {
    const parameters = [
      parameterOf('a', [3, 5], { betas: [0.9, 0.95], weightDecay: 0.1 }),
      parameterOf('bb', [4], { betas: [0.5, 0.999], lr: 0.1 }),
      parameterOf('ccc', [2, 2], { betas: [0.9, 0.9], eps: 0.1 }),
      parameterOf('dddd', [2], { betas: [0, 0], lr: 0.02 }),
    ];
    const steps = await run(parameters, 5);
    parameters.forEach((p, i) => {
      expect(worst(floats(p.value), plainAdamw(p, i, steps)), p.name).toBeLessThan(2e-6);
    });
  });

  it('takes a first step of the rate whatever the gradient, the bias being corrected', async () => {
    const p = parameterOf('w', [6], { lr: 0.25 });
    await run([p], 1);
    const moved = Array.from(floats(p.value), (w, i) => Math.abs(w - fill(6, 1)[i]!));
    for (const distance of moved) expect(distance).toBeCloseTo(0.25, 5);
  });
});

describe('Muon', () => {
  it.each([
    ['wide', [4, 9], {}],
    ['tall', [9, 4], { weightDecay: 0.2 }],
    ['by fan, split', [8, 3], { scale: 'fan' as const, split: 2 }],
    ['a convolution', [4, 2, 3, 3], { momentum: 0.5 }],
  ])('%s: equals Newton-Schulz in plain loops', async (name, shape, group) => {
    const p = parameterOf(name, shape, { optimizer: 'muon', lr: 0.05, ...group });
    const steps = await run([p], 3);
    expect(worst(floats(p.value), plainMuon(p, 0, steps))).toBeLessThan(5e-6);
  });

  it('pulls singular values near 1', async () => {
    const p = parameterOf('w', [5, 20], { optimizer: 'muon', lr: 1, scale: 'fan' });
    const before = floats(p.value).slice();
    await run([p], 1);
    const direction = Array.from(before, (x, i) => (x - floats(p.value)[i]!) / Math.sqrt(5 / 20));
    const matrix = Array.from({ length: 5 }, (_, r) => direction.slice(r * 20, (r + 1) * 20));
    product(matrix, transposed(matrix)).forEach((row, i) => {
      expect(row[i]).toBeGreaterThan(0.4);
      expect(row[i]).toBeLessThan(1.6);
    });
  });

  it('leaves taps of past frames alone where only the last is trained', async () => {
    const p = parameterOf('w', [4, 2, 3, 3, 3], { optimizer: 'muon', lastTap: true });
    const before = floats(p.value).slice();
    await run([p], 2);
    const isMoved = Array.from(floats(p.value), (x, i) => x !== before[i]);
    isMoved.forEach((moved, i) => {
      expect(moved).toBe(Math.floor(i / 9) % 3 === 2);
    });
  });

  it('refuses a split that does not divide the rows', async () => {
    const p = parameterOf('odd', [5, 2], { optimizer: 'muon', split: 2 });
    await expect(createOptimizer([p], { device: 'cpu' })).rejects.toThrow(
      'train: groups: split must divide the 5 rows of odd, got 2',
    );
  });
});

it('keeps a moving average of the weights', async () => {
  const p = parameterOf('w', [7], {}, true);
  const start = floats(p.value).slice();
  await run([p], 1, 0.75);
  const expected = Array.from(start, (x, i) => 0.75 * x + 0.25 * floats(p.value)[i]!);
  expect(worst(floats(p.average), expected)).toBeLessThan(1e-7);
});
