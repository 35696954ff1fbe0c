/**
 * Memory of decoding, each decode in a process of its own: the mini model's 17 and 68 frames, whole and in tiles; or, with
 * --full, 17 frames of 544x992 by the official decoder with made-up weights under --memory. Beside each peak stands its estimate.
 *
 *   npm run bench -- vae-memory [--threads N] [--full [--memory 6GB] [--size 544x992] [--frames 17]]
 */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gaussian } from '../src/diffusion/noise.ts';
import { inputError, internalError } from '../src/errors.ts';
import { decodeFlops } from '../src/graph-flops.ts';
import { latentLength, latentShape } from '../src/latents.ts';
import { modelDirectory } from '../src/model-directory.ts';
import { Scope } from '../src/nn/scope.ts';
import { sizeOf } from '../src/tensor/index.ts';
import { decodePlan } from '../src/vae/decode-plan.ts';
import { decoder } from '../src/vae/decoder.ts';
import { encoder } from '../src/vae/encoder.ts';
import { loadVae } from '../src/vae/load.ts';
import { checkpointName, componentFolder } from '../src/weights/checkpoint.ts';
import { parseConfig } from '../src/weights/component-config.ts';
import { writeSafetensors } from '../src/weights/safetensors.ts';
import { type Row, report } from './parts/report.ts';

/** The official Video-VAE. */
const OFFICIAL = {
  encoder: { ch: 32, ch_mult: [4, 8, 16, 16], num_res_blocks: 2 },
  decoder: { ch: 128, ch_mult: [1, 2, 4, 4], num_res_blocks: 2 },
  z_channels: 64,
  channels: 2048,
};

const text = { type: 'string' } as const;
const options = {
  threads: text,
  memory: text,
  size: text,
  frames: text,
  full: { type: 'boolean' },
  child: text,
} as const;
const { values: flags } = parseArgs({ args: process.argv.slice(2), options });

type Job = { directory: string; frames: number; height: number; width: number; memory: number; tile?: number };

if (flags.child !== undefined) await decodeOnce(JSON.parse(flags.child) as Job);
else if (flags.full) await full();
else await mini();

/** In the child: one decode, its plan and its peak as a line of JSON. */
async function decodeOnce({ directory, frames, height, width, memory, tile }: Job): Promise<void> {
  const threads = flags.threads === undefined ? undefined : Number(flags.threads);
  const vae = await loadVae(directory, { device: 'cpu', threads });
  const shape = latentShape({ frames, height, width }, vae.config.z_channels);
  const latents = gaussian({ seed: 1, length: latentLength(shape) });
  const plan = decodePlan(vae.config, shape, memory, { tile });
  const before = await peakBytes();
  const start = performance.now();
  let numbers = 0;
  const onRetry = (retry: object): void => console.error('retry', retry);
  for await (const piece of vae.decode(latents, shape, { memory, tile, onRetry })) {
    if (!piece.every(Number.isFinite)) throw internalError('vae-memory', 'pixels must be finite', numbers);
    numbers += piece.length;
  }
  const seconds = (performance.now() - start) / 1e3;
  if (numbers !== frames * 3 * height * width) throw internalError('vae-memory', 'all frames must come out', numbers);
  const flops = decodeFlops(vae.config, shape);
  console.log(JSON.stringify({ plan, before, peak: await peakBytes(), seconds, flops }));
  await vae.close();
}

/** Most memory that this process has held so far; the system counts it. */
async function peakBytes(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  const high = /^VmHWM:\s*(\d+) kB/m.exec(status)?.[1];
  return 1024 * (high === undefined ? process.resourceUsage().maxRSS : Number(high));
}

async function measured(name: string, job: Job): Promise<Row> {
  const file = fileURLToPath(import.meta.url);
  const argv = ['--child', JSON.stringify(job), ...(flags.threads === undefined ? [] : ['--threads', flags.threads])];
  const child = spawn(process.execPath, ['--import', 'tsx', file, ...argv], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (data) => {
    output += String(data);
  });
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw internalError('vae-memory', 'the decoding process must end well', code);
  const { plan, before, peak, seconds, flops } = JSON.parse(output) as Awaited<ReturnType<typeof JSON.parse>>;
  return {
    name,
    tiles: plan.tiles.join('x'),
    slab: plan.slab,
    'peak MB': peak / 1e6,
    'added MB': (peak - before) / 1e6,
    'estimated MB': plan.peakBytes / 1e6,
    seconds,
    'GFLOP/s': flops / seconds / 1e9,
  };
}

async function mini(): Promise<void> {
  const directory = modelDirectory(undefined);
  const size = { directory, height: 128, width: 128, memory: 2 ** 34 };
  const rows: Row[] = [];
  for (const frames of [17, 68]) rows.push(await measured(`${frames} frames`, { ...size, frames }));
  for (const frames of [17, 68]) rows.push(await measured(`${frames} frames, tiles`, { ...size, frames, tile: 96 }));
  report('vae-memory', rows);
}

async function full(): Promise<void> {
  const [height, width] = (flags.size ?? '544x992').split('x').map(Number) as [number, number];
  const memory = bytesOf(flags.memory ?? '6GB');
  const directory = await mkdtemp(path.join(tmpdir(), 'step-video-bench-'));
  try {
    await writeOfficial(directory);
    const frames = Number(flags.frames ?? 17);
    report('vae-memory', [
      await measured(`${frames} frames ${height}x${width}`, { directory, frames, height, width, memory }),
    ]);
  } finally {
    await rm(directory, { recursive: true });
  }
}

function bytesOf(size: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(GB|GiB|MB|MiB)$/.exec(size) ?? [];
  const units: Record<string, number> = { GB: 1e9, GiB: 2 ** 30, MB: 1e6, MiB: 2 ** 20 };
  if (number === undefined || unit === undefined) throw inputError('bench', '--memory must be like 6GB', size);
  return Number(number) * units[unit]!;
}

/** All tensors of the official VAE in bfloat16, cut from one run of small numbers. */
async function writeOfficial(directory: string): Promise<void> {
  const config = parseConfig('vae', OFFICIAL, 'vae');
  const scope = new Scope();
  encoder(scope.at('encoder'), config, 'fused');
  decoder(scope.at('decoder'), config, { form: 'fused' });
  const specs = [...scope.specs.values()];
  const longest = Math.max(...specs.map(({ shape }) => sizeOf(shape)));
  const period = gaussian({ seed: 1, length: 2 ** 20 - 3 }).map((x) => 0.02 * x);
  const numbers = new Float32Array(longest);
  for (let at = 0; at < longest; at += period.length) numbers.set(period.subarray(0, longest - at), at);
  const tensors = specs.map(({ name, shape }) => ({
    name: checkpointName('vae', name),
    dtype: 'BF16' as const,
    shape,
    data: numbers.subarray(0, sizeOf(shape)),
  }));
  const folder = componentFolder(directory, 'vae');
  await mkdir(folder, { recursive: true });
  await writeSafetensors(path.join(folder, 'vae_v2.safetensors'), tensors);
  await writeFile(path.join(folder, 'config.json'), JSON.stringify(OFFICIAL));
}
