/**
 * One training step of a deep chain of layers, as a program: `deep-chain.ts kept|recomputed` prints its peak memory in MiB above
 * the start, and a few gradients.
 */
import { compile } from '../../src/runtime/compile.ts';
import { float32, floats, type Value } from '../../src/runtime/value.ts';
import {
  add,
  grad,
  gradRecomputed,
  input,
  matmul,
  mean,
  parameter,
  square,
  type Tensor,
  tanh,
} from '../../src/tensor/index.ts';

const [LAYERS, BLOCK, ROWS, WIDTH] = [24, 4, 16384, 32];

const weights = Array.from({ length: LAYERS }, (_, i) => parameter(`w${i}`, [WIDTH, WIDTH]));
const kept: Tensor[] = [];
let h = input('x', [ROWS, WIDTH]);
weights.forEach((w, i) => {
  h = add(h, tanh(matmul(tanh(h), w)));
  if ((i + 1) % BLOCK === 0) kept.push(h);
});
const loss = mean(square(h));
const gradients = process.argv[2] === 'recomputed' ? gradRecomputed(loss, weights, kept) : grad(loss, weights);
const outputs: Record<string, Tensor> = Object.fromEntries(gradients.map((g, i) => [`g${i}`, g]));
const executable = await compile(outputs, { device: 'cpu', threads: 1 });
const fill = (length: number): Float32Array => Float32Array.from({ length }, (_, i) => Math.sin(i) / 4);
const feeds: Record<string, Value> = { x: float32(fill(ROWS * WIDTH), [ROWS, WIDTH]) };
for (let i = 0; i < LAYERS; i++) feeds[`w${i}`] = float32(fill(WIDTH * WIDTH), [WIDTH, WIDTH]);
const before = process.memoryUsage().rss;
const results = await executable.run(feeds);
const peak = process.resourceUsage().maxRSS * 1024;
const mebibytes = Math.round((peak - before) / 2 ** 20);
console.log(JSON.stringify({ mebibytes, first: [...floats(results.g0).slice(0, 4)] }));
