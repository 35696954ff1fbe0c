/**
 * A diagnosis as text: a line a fact, and under what does not work why and what to install. Finds out nothing.
 */
import type { Diagnosis } from '../machine/doctor.ts';
import { wait } from './progress.ts';

const giga = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

export function formatDiagnosis(diagnosis: Diagnosis): string {
  const { node, onnxruntime, platform, cpu, memory, disk, video, devices, calibration, estimate } = diagnosis;
  const { total, free, limit } = memory;
  const limited = limit === undefined ? '' : `, of which this container may use ${giga(limit)}`;
  const rows: [string, string][] = [
    ['software', `Node ${node.replace(/^v/, '')}, ONNX Runtime ${onnxruntime}, ${platform}`],
    ['cpu', `${cpu.model}, ${cpu.cores} cores${cpu.instructions ? `: ${cpu.instructions.join(' ')}` : ''}`],
    ['memory', `${giga(total)}${limited}; ${giga(free)} free`],
    ...disk.map(({ path, free }): [string, string] => ['disk', `${giga(free)} free at ${path}`]),
    ...video.map(({ name, works, reason }): [string, string] => ['video', works ? `${name} works` : `${reason}`]),
    ...devices.flatMap(deviceRows),
    [
      'speed',
      `${(calibration.matmulFlops / 1e9).toFixed(0)} GFLOP/s in float32, memory copies ${giga(calibration.copyBytes)}/s (measured in ${calibration.seconds.toFixed(1)} s)`,
    ],
  ];
  if (estimate !== undefined) {
    const { model, video: clip, flops, leastSeconds } = estimate;
    const least = leastSeconds < 10 ? `${leastSeconds.toFixed(1)} s` : wait(leastSeconds);
    rows.push([
      'so',
      `a video of the ${model} model (${clip}, ${(flops / 1e9).toFixed(0)} GFLOP) takes at least ${least}`,
    ]);
  }
  return rows.map(([name, text]) => `${name.padEnd(9)} ${text}`.trimEnd()).join('\n');
}

function deviceRows(report: Diagnosis['devices'][number]): [string, string][] {
  const { device, seconds } = report;
  if (!report.works)
    return [
      [device, `does not work: needs ${report.missing}`],
      ['', `to install: ${report.install}`],
    ];
  // The CPU has no float16 kernels of its own: the runtime widens and narrows around them.
  const half = device === 'cpu' ? '' : report.float16 ? ', float16 too' : ', float32 only';
  return [[device, `works${half} (tried in ${seconds.toFixed(1)} s)`]];
}
