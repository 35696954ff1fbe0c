/** `step-video doctor`: a real look at this machine, and how each finding is put into words. */
import { describe, expect, it } from 'vitest';
import { formatDiagnosis } from '../../src/cli/format-diagnosis.ts';
import { run } from '../../src/cli/run.ts';
import { type Diagnosis, notableInstructions } from '../../src/machine/doctor.ts';

async function doctor(...flags: string[]): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await run(['doctor', ...flags], {
    print: (line) => out.push(line),
    note: (line) => err.push(line),
    terminal: undefined,
    signal: new AbortController().signal,
    program: 'step-video',
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

it('tells what this machine can do, as JSON', { timeout: 300_000 }, async () => {
  const { code, out } = await doctor('--json');
  const found = JSON.parse(out) as Diagnosis;
  expect(found.node).toBe(process.version);
  expect(found.onnxruntime).toMatch(/^\d+\.\d+\.\d+/);
  expect(found.devices.map(({ device }) => device)).toEqual(['cpu', 'webgpu', 'cuda']);
  expect(found.devices[0]).toMatchObject({ works: true });
  for (const report of found.devices)
    if (!report.works) expect([report.missing, report.install].every((text) => text.length > 0)).toBe(true);
  expect(found.video.map(({ name }) => name)).toEqual(['node-av', 'ffmpeg']);
  expect(code).toBe(found.video.some(({ works }) => works) ? 0 : 1);
  expect(found.memory.total).toBeGreaterThan(1e9);
  expect(found.disk.every(({ free }) => free >= 0)).toBe(true);
  const { calibration, estimate } = found;
  expect(calibration.matmulFlops).toBeGreaterThan(1e8);
  expect(calibration.copyBytes).toBeGreaterThan(1e7);
  // 24 guided steps of the mini model are some 10^11 operations.
  expect(estimate!.flops).toBeGreaterThan(5e10);
  expect(estimate!.flops).toBeLessThan(5e11);
  expect(estimate!.leastSeconds).toBeCloseTo(estimate!.flops / calibration.matmulFlops, 6);
  expect(formatDiagnosis(found)).toContain('cpu       works');
});

it('takes flags only', async () => {
  expect(await doctor('now')).toMatchObject({ code: 2, err: 'doctor: takes flags only, got now' });
});

describe('in words', () => {
  const diagnosis: Diagnosis = {
    node: 'v22.1.0',
    onnxruntime: '1.30.0',
    platform: 'linux/x64',
    cpu: { model: 'Some CPU', cores: 8, instructions: ['avx2', 'fma'] },
    memory: { total: 64e9, free: 20e9, limit: 8e9 },
    disk: [{ path: '/videos', free: 71e9 }],
    video: [
      { name: 'node-av', works: true },
      { name: 'ffmpeg', works: false, reason: 'video backend: ffmpeg must load (try apt install ffmpeg)' },
    ],
    devices: [
      { device: 'cpu', works: true, seconds: 0.5, float16: true },
      { device: 'webgpu', works: true, seconds: 1.25, float16: false },
      { device: 'cuda', works: false, seconds: 1, reason: 'x', missing: 'libcudnn.so.9', install: 'cuDNN 9' },
    ],
    calibration: { matmulFlops: 120e9, copyBytes: 8e9, seconds: 0.94 },
    estimate: { model: 'mini', video: '17 frames of 128x128, 24 steps', flops: 122e9, leastSeconds: 1.0167 },
  };

  it('has a line a fact, and what to install under what does not work', () => {
    expect(formatDiagnosis(diagnosis).split('\n')).toEqual([
      'software  Node 22.1.0, ONNX Runtime 1.30.0, linux/x64',
      'cpu       Some CPU, 8 cores: avx2 fma',
      'memory    64.0 GB, of which this container may use 8.0 GB; 20.0 GB free',
      'disk      71.0 GB free at /videos',
      'video     node-av works',
      'video     video backend: ffmpeg must load (try apt install ffmpeg)',
      'cpu       works (tried in 0.5 s)',
      'webgpu    works, float32 only (tried in 1.3 s)',
      'cuda      does not work: needs libcudnn.so.9',
      '          to install: cuDNN 9',
      'speed     120 GFLOP/s in float32, memory copies 8.0 GB/s (measured in 0.9 s)',
      'so        a video of the mini model (17 frames of 128x128, 24 steps, 122 GFLOP) takes at least 1.0 s',
    ]);
  });

  it('leaves out what the system does not tell', () => {
    const { estimate: _, ...rest } = diagnosis;
    const text = formatDiagnosis({
      ...rest,
      estimate: undefined,
      cpu: { model: 'M9', cores: 4, instructions: undefined },
      memory: { total: 64e9, free: 20e9, limit: undefined },
    });
    expect(text).toContain('cpu       M9, 4 cores\n');
    expect(text).toContain('memory    64.0 GB; 20.0 GB free');
    expect(text).not.toContain('so  ');
  });
});

describe('notableInstructions', () => {
  it('finds what matters for matrix products on x86 and on arm', () => {
    expect(notableInstructions('flags\t\t: fpu sse sse4_2 avx2 fma avx512f amx_tile\nbugs\t: x\n')).toEqual([
      'sse4_2',
      'avx2',
      'fma',
      'avx512f',
      'amx_tile',
    ]);
    expect(notableInstructions('Features\t: fp asimd asimddp i8mm bf16 sve2\n')).toEqual([
      'asimd',
      'asimddp',
      'i8mm',
      'bf16',
      'sve2',
    ]);
    expect(notableInstructions('nothing here')).toEqual([]);
  });
});
