/**
 * Where a program's time went: wall seconds per segment, and per op the runtime's own trace joined with arithmetic and bytes
 * from the graph. Knows trace files and costs; does not know how programs run.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cost } from './cost.ts';

/** All nodes of one kind in one segment, summed over its runs. */
export type OpProfile = {
  /** Kernel that ran: `Gemm` where the runtime fused a MatMul with its Add. */
  readonly op: string;
  /** Execution provider of the kernel. Work that a device cannot do shows up here as the CPU's. */
  readonly provider: string;
  readonly calls: number;
  readonly seconds: number;
  /** Of the nodes that the graph knows; what fusion swallowed is missing here but not in the segment's sum. */
  readonly flops: number;
  readonly bytes: number;
};

export type SegmentProfile = {
  readonly name: string;
  readonly runs: number;
  /** Wall time, including what crosses between host and device. */
  readonly seconds: number;
  readonly flops: number;
  readonly bytes: number;
  /** Slowest first; empty for host actions. */
  readonly ops: readonly OpProfile[];
};

/** A folder for the traces of one session, gone once they are read. */
export async function traceFolder(): Promise<{
  prefix: string;
  read(costs: ReadonlyMap<string, Cost>): Promise<OpProfile[]>;
}> {
  const folder = await mkdtemp(join(tmpdir(), 'step-video-trace-'));
  return {
    prefix: join(folder, 'trace'),
    async read(costs) {
      const files = await readdir(folder);
      const traces = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
      await rm(folder, { recursive: true });
      return summarize(
        traces.flatMap((text) => JSON.parse(text) as TraceEvent[]),
        costs,
      );
    },
  };
}

type TraceEvent = {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly dur: number;
  readonly args?: Readonly<Record<string, string>>;
};

/** Sums trace events by kernel and provider. Kernels are joined with nodes by name, which fusion and layout passes extend. */
export function summarize(events: readonly TraceEvent[], costs: ReadonlyMap<string, Cost>): OpProfile[] {
  const rows = new Map<string, { -readonly [K in keyof OpProfile]: OpProfile[K] }>();
  for (const { cat, name, dur, args } of events) {
    if (cat !== 'Node' || args?.op_name === undefined || !name.endsWith('_kernel_time')) continue;
    const { op_name: op, provider = '' } = args;
    const key = `${op} ${provider}`;
    const row = rows.get(key) ?? { op, provider, calls: 0, seconds: 0, flops: 0, bytes: 0 };
    rows.set(key, row);
    const cost = costs.get(/^[A-Za-z0-9]+_\d+/.exec(name)?.[0] ?? '');
    row.calls++;
    row.seconds += dur / 1e6;
    row.flops += cost?.flops ?? 0;
    row.bytes += cost?.bytes ?? sizes(args);
  }
  return [...rows.values()].sort((a, b) => b.seconds - a.seconds);
}

/** What the trace itself says, for nodes that the runtime added. */
const sizes = (args: Readonly<Record<string, string>>): number =>
  ['activation_size', 'parameter_size', 'output_size'].reduce((n, key) => n + Number(args[key] ?? 0), 0);

/** Sums of several lists, by kernel and provider. */
export function mergeOps(lists: readonly (readonly OpProfile[])[]): OpProfile[] {
  const rows = new Map<string, OpProfile>();
  for (const op of lists.flat()) {
    const key = `${op.op} ${op.provider}`;
    const row = rows.get(key);
    rows.set(
      key,
      row === undefined
        ? op
        : {
            ...op,
            calls: row.calls + op.calls,
            seconds: row.seconds + op.seconds,
            flops: row.flops + op.flops,
            bytes: row.bytes + op.bytes,
          },
    );
  }
  return [...rows.values()].sort((a, b) => b.seconds - a.seconds);
}

/** A table for people; the profile itself is the JSON. */
export function profileTable(segments: readonly SegmentProfile[]): string {
  const rows = segments.flatMap((segment) => [
    row(segment.name, segment.runs, segment),
    ...segment.ops.map((op) =>
      row(`  ${op.op}${op.provider.startsWith('CPU') ? '' : ` (${op.provider})`}`, op.calls, op),
    ),
  ]);
  const table = [['segment / op', 'runs', 'ms', 'GFLOP', 'GFLOP/s', 'GB', 'GB/s'], ...rows];
  const widths = table[0]!.map((_, i) => Math.max(...table.map((cells) => cells[i]!.length)));
  return table
    .map((cells) => cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '))
    .join('\n');
}

function row(name: string, count: number, measured: { seconds: number; flops: number; bytes: number }): string[] {
  const { seconds, flops, bytes } = measured;
  const rate = (amount: number): string => (amount === 0 || seconds === 0 ? '-' : (amount / seconds / 1e9).toFixed(1));
  const size = (amount: number): string => (amount === 0 ? '-' : (amount / 1e9).toFixed(3));
  return [name, String(count), (seconds * 1e3).toFixed(2), size(flops), rate(flops), size(bytes), rate(bytes)];
}
