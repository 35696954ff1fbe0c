/**
 * Memory of decoding, each decode in a process of its own: the mini model's 17 and 68 frames, whole and in tiles; or, with
 * --full, 17 frames of 544x992 by the official decoder with made-up weights under --memory. Beside each peak stands its estimate.
 *
 *   npm run bench -- vae-memory [--threads N] [--full [--memory 6GB] [--size 544x992] [--frames 17]]
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gaussian } from '../src/diffusion/noise.ts';
import { inputError, internalError } from '../src/errors.ts';
import { latentLength, latentShape } from '../src/latents.ts';
import { decodeFlops } from '../src/machine/graph-flops.ts';
import { parseMemory } from '../src/memory-plan/memory-size.ts';
import { modelDirectory } from '../src/model-directory.ts';
import { FREEING_ENVIRONMENT } from '../src/runtime/freed-memory.ts';
import { decodePlan } from '../src/vae/decode-plan.ts';
import { loadVae } from '../src/vae/load.ts';
import { peakResident } from './parts/process-memory.ts';
import { type Row, report } from './parts/report.ts';
import { writeSynthetic } from './parts/synthetic-checkpoint.ts';

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
  const before = peakResident();
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
  console.log(JSON.stringify({ plan, before, peak: peakResident(), seconds, flops }));
  await vae.close();
}

async function measured(name: string, job: Job): Promise<Row> {
  const file = fileURLToPath(import.meta.url);
  const argv = ['--child', JSON.stringify(job), ...(flags.threads === undefined ? [] : ['--threads', flags.threads])];
  const child = spawn(process.execPath, ['--import', 'tsx', file, ...argv], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // As the program runs itself where memory is bounded.
    env: { ...process.env, ...FREEING_ENVIRONMENT },
  });
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
  const memory = parseMemory(flags.memory ?? '6GB');
  if (memory === undefined) throw inputError('bench', '--memory must be like 6GB', flags.memory);
  const directory = await mkdtemp(path.join(tmpdir(), 'step-video-bench-'));
  try {
    await writeSynthetic(directory, { only: ['vae'], scale: 0.02 });
    const frames = Number(flags.frames ?? 17);
    report('vae-memory', [
      await measured(`${frames} frames ${height}x${width}`, { directory, frames, height, width, memory }),
    ]);
  } finally {
    await rm(directory, { recursive: true });
  }
}
