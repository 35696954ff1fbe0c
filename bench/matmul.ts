/**
 * The machine's own fp32 matrix product rate, by which other benches judge theirs. Run: `npx tsx bench/matmul.ts [size…]`.
 */
import { pathToFileURL } from 'node:url';
import { input, matmul } from '../src/tensor/index.ts';
import { gigaflops, type MeasureOptions, measure, printTable } from './measure.ts';

/** GFLOP/s of [size, size] x [size, size] with both operands fed. */
export async function matmulRate(size = 1024, options: MeasureOptions = { device: 'cpu' }): Promise<number> {
  const [a, b] = [input('a', [size, size]), input('b', [size, size])];
  return gigaflops(await measure({ c: matmul(a, b) }, options));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const sizes = process.argv.slice(2).map(Number);
  const rows: [string, number][] = [];
  for (const size of sizes.length > 0 ? sizes : [512, 1024, 2048]) rows.push([String(size), await matmulRate(size)]);
  printTable([['size', 'GFLOP/s'], ...rows]);
  console.log(JSON.stringify({ bench: 'matmul', gigaflops: Object.fromEntries(rows) }));
}
