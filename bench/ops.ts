/**
 * Convolutions as training runs them, weights fed: forward, gradient of the input, gradient of the weight, each against the
 * matrix product rate measured in the same run. Run: `npx tsx bench/ops.ts`.
 */
import { conv2d, input, type Tensor, vjp } from '../src/tensor/index.ts';
import { matmulRate } from './matmul.ts';
import { gigaflops, measure, printTable } from './measure.ts';

/** Pictures, channels in, channels out, height and width, kernel, stride: levels of the VAE and of small models. */
const SHAPES = [
  [17, 16, 16, 128, 3, 1],
  [17, 32, 32, 64, 3, 1],
  [17, 64, 64, 32, 3, 1],
  [9, 128, 128, 16, 3, 1],
  [17, 32, 64, 64, 3, 2],
  [17, 64, 64, 32, 1, 1],
] as const;

const device = { device: 'cpu', rounds: 3 } as const;
const rate = async (y: Tensor): Promise<number> => gigaflops(await measure({ y }, device));

const machine = await matmulRate();
const results = [];
for (const [pictures, from, to, size, kernel, stride] of SHAPES) {
  const [x, w] = [input('x', [pictures, from, size, size]), input('w', [to, from, kernel, kernel])];
  const edge = (kernel - 1) / 2;
  const y = conv2d(x, w, undefined, [edge, edge, edge, edge], stride);
  const [dx, dw] = vjp([{ output: y, gradient: input('dy', y.shape) }], [x, w]) as [Tensor, Tensor];
  const name = `${pictures} x ${from}→${to} x ${size}², ${kernel}x${kernel}/${stride}`;
  results.push({ name, forward: await rate(y), inputGradient: await rate(dx), weightGradient: await rate(dw) });
}
printTable([
  ['convolution', 'forward', 'd input', 'd weight', 'GFLOP/s'],
  ...results.map((r) => [r.name, r.forward, r.inputGradient, r.weightGradient, '']),
  ['matmul 1024', machine, '', '', ''],
]);
console.log(JSON.stringify({ bench: 'ops', matmul: machine, results }));
