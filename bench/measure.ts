/** Timing shared by benches: a graph on a device, best of several rounds, and rates beside the machine's own. */
import { compile } from '../src/runtime/compile.ts';
import type { Device } from '../src/runtime/device.ts';
import { float32, type Values, zeros } from '../src/runtime/value.ts';
import { sizeOf, type Tensor } from '../src/tensor/index.ts';

export type Measured = { readonly seconds: number; readonly flops: number };

export type MeasureOptions = {
  readonly device: Device;
  readonly threads?: number | undefined;
  readonly rounds?: number;
};

/** Shortest run of the graph in seconds, after one to warm up; feeds are small numbers (no denormals, no overflow). */
export async function measure(outputs: Readonly<Record<string, Tensor>>, options: MeasureOptions): Promise<Measured> {
  const { rounds = 5, ...device } = options;
  const executable = await compile(outputs, device);
  const feeds: Record<string, Values[string]> = {};
  for (const [name, leaf] of executable.inputs)
    feeds[name] =
      leaf.dtype === 'float32'
        ? float32(
            Float32Array.from({ length: sizeOf(leaf.shape) }, (_, i) => Math.sin(i) / 8),
            leaf.shape,
          )
        : zeros(leaf.shape, leaf.dtype);
  let seconds = Number.POSITIVE_INFINITY;
  for (let i = 0; i <= rounds; i++) {
    const start = performance.now();
    await executable.run(feeds);
    if (i > 0) seconds = Math.min(seconds, (performance.now() - start) / 1e3);
  }
  const flops = [...executable.costs.values()].reduce((n, cost) => n + cost.flops, 0);
  await executable.dispose();
  return { seconds, flops };
}

export const gigaflops = ({ seconds, flops }: Measured): number => flops / seconds / 1e9;

/** Rows under headings, numbers to the right. */
export function printTable(rows: readonly (readonly (string | number)[])[]): void {
  const cells = rows.map((row) => row.map((c) => (typeof c === 'number' ? c.toFixed(1) : c)));
  const widths = cells[0]!.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)));
  for (const row of cells)
    console.log(row.map((c, i) => (i === 0 ? c.padEnd(widths[i]!) : c.padStart(widths[i]!))).join('  '));
}
