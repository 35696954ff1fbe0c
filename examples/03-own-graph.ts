/**
 * A network of one's own: the tensor graph, its gradient, a compiled training step. A small MLP learns to tell the two arms
 * of a spiral apart.
 *
 *   npx tsx examples/03-own-graph.ts [STEPS]
 */
import { compile } from '../src/runtime/compile.ts';
import { float32, floats, type Values } from '../src/runtime/value.ts';
import { add, grad, input, matmul, mean, mul, parameter, square, sub, tanh } from '../src/tensor/index.ts';

const steps = Number(process.argv[2] ?? 1500);
const POINTS = 200;
const SIZES = [2, 24, 24, 1];
const RATE = 0.3;

// The graph is data: shapes are known here, nothing is computed.
const layers = SIZES.slice(1).map((width, i) => ({
  weight: parameter(`weight${i}`, [SIZES[i]!, width]),
  bias: parameter(`bias${i}`, [width]),
}));
let guess = input('points', [POINTS, 2]);
for (const { weight, bias } of layers) guess = tanh(add(matmul(guess, weight), bias));
const loss = mean(square(sub(guess, input('arms', [POINTS, 1]))));

// The backward pass is more graph, and so is the update: it gives new values of the parameters under their own names.
const parameters = new Map(
  layers.flatMap(({ weight, bias }, i) => [[`weight${i}`, weight] as const, [`bias${i}`, bias]]),
);
const gradients = grad(loss, [...parameters.values()]);
const updated = [...parameters].map(([name, old], i) => [name, sub(old, mul(gradients[i]!, RATE))] as const);
const step = await compile({ loss, guess, ...Object.fromEntries(updated) }, { device: 'cpu', threads: 1 });

const points = new Float32Array(2 * POINTS);
const arms = Float32Array.from({ length: POINTS }, (_, i) => (i % 2 === 0 ? 1 : -1));
arms.forEach((arm, i) => {
  const along = 0.2 + (0.8 * i) / POINTS;
  points.set([arm * along * Math.cos(5 * along), arm * along * Math.sin(5 * along)], 2 * i);
});
const data = { points: float32(points, [POINTS, 2]), arms: float32(arms, [POINTS, 1]) };

let values: Values = Object.fromEntries([...parameters].map(([name, { shape }], n) => [name, startValue(shape, n)]));
for (let i = 0; i <= steps; i++) {
  const results = await step.run({ ...values, ...data });
  const right = floats(results.guess).filter((y, p) => Math.sign(y) === arms[p]).length;
  const shown = `step ${i}: loss ${floats(results.loss)[0]!.toFixed(4)}, ${right} of ${POINTS} right`;
  if (i % Math.ceil(steps / 5) === 0 || i === steps) console.log(shown);
  values = results;
}
await step.dispose();

/** Spread-out numbers that keep the variance of what flows through; zeros for a bias. */
function startValue(shape: readonly number[], seed: number) {
  const [rows, columns = 0] = shape as readonly [number, number?];
  const spread = (i: number): number => (((i + 1) * (seed + 1) * 0.618034) % 1) * 2 - 1;
  const value = Float32Array.from({ length: rows * (columns || 1) }, (_, i) => spread(i) * Math.sqrt(3 / rows));
  return float32(columns === 0 ? value.fill(0) : value, shape);
}
