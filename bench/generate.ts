/**
 * Whole generations through the command line, each in a process of its own: wall seconds from start to file by stage, and
 * the largest memory of the process.
 *
 *   npm run bench -- generate [--rounds 3] [--model DIR] [--steps N] [--tiny]
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { StepVideoError } from '../src/errors.ts';
import type { GenerateEvent } from '../src/generate.ts';
import { latentShape } from '../src/latents.ts';
import { decodeFlops, velocityFlops } from '../src/machine/graph-flops.ts';
import { modelDirectory } from '../src/model-directory.ts';
import { loadTokenizers } from '../src/prompt/tokenize.ts';
import type { SamplingRequest } from '../src/request.ts';
import { openComponent } from '../src/weights/checkpoint.ts';
import { benchFlags } from './parts/flags.ts';
import { median } from './parts/interleave.ts';
import { report } from './parts/report.ts';
import { matmulYardstick } from './parts/yardstick.ts';

const PROMPT = 'a red apple bounces on a blue background';
const PROGRAM = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
/** Runs in the child before the program: leaves the child's largest memory, in kB, in a file when it ends. */
const MEMORY_PROBE = `import { writeFileSync } from 'node:fs';
process.on('exit', () => writeFileSync(process.env.PEAK_MEMORY_FILE, String(process.resourceUsage().maxRSS)));`;

const flags = benchFlags({ rounds: 3 });
const model = modelDirectory(flags.model);
const folder = await mkdtemp(path.join(tmpdir(), 'step-video-bench-'));
const yardstick = await matmulYardstick({ size: flags.tiny ? 128 : 1024 });
await yardstick.run();

type Run = { wall: number; ready: number; text: number; denoise: number; decode: number; peakMB: number };
const runs: Run[] = [];
const matmul: number[] = [];
let request: SamplingRequest | undefined;
try {
  for (let round = 0; round < flags.rounds; round++) {
    const start = performance.now();
    await yardstick.run();
    matmul.push(yardstick.flops / (performance.now() - start) / 1e6);
    runs.push(await generation());
  }
} finally {
  await Promise.all([rm(folder, { recursive: true }), yardstick.dispose()]);
}
const work = await workOf(request!);
const of = (pick: (run: Run) => number): number => median(runs.map(pick));
const stage = (name: string, pick: (run: Run) => number, flops?: number) => ({
  stage: name,
  seconds: of(pick),
  'GFLOP/s': flops === undefined ? undefined : flops / of(pick) / 1e9,
  'matmul GFLOP/s': flops === undefined ? undefined : median(matmul),
  'peak MB': name === 'start to file' ? of((r) => r.peakMB) : undefined,
});
report(
  'generate',
  [
    stage('start to first event', (r) => r.ready),
    stage('text', (r) => r.text),
    stage(`denoise, ${request!.steps} steps`, (r) => r.denoise, work.denoise),
    stage('decode and encode', (r) => r.decode, work.decode),
    stage('start to file', (r) => r.wall),
  ],
  { rounds: flags.rounds, model, request, tiny: flags.tiny },
);

/** One generation in a child process, timed from before the process exists until it is gone. */
async function generation(): Promise<Run> {
  const memoryFile = path.join(folder, 'memory');
  const small = flags.tiny ? ['--size', '32x32', '--steps', '2'] : [];
  const steps = flags.steps === undefined ? [] : ['--steps', String(flags.steps)];
  const loaders = ['--import', 'tsx', '--import', `data:text/javascript,${encodeURIComponent(MEMORY_PROBE)}`];
  const words = [PROMPT, '--json', '--model', model, '--out', path.join(folder, 'video.mp4'), ...small, ...steps];
  const started = performance.now();
  const child = spawn(process.execPath, [...loaders, PROGRAM, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PEAK_MEMORY_FILE: memoryFile, STEP_VIDEO_CACHE: 'off' },
  });
  const exit = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
  const at = new Map<string, number>();
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as GenerateEvent;
    // The last step and the first of all others are what stages end with.
    if (event.type === 'step' || !at.has(event.type)) at.set(event.type, (performance.now() - started) / 1000);
    if (event.type === 'start') request = event.request;
  }
  const code = await exit;
  const [ready, text, step, done] = ['start', 'text', 'step', 'done'].map((type) => at.get(type));
  if (code !== 0 || ready === undefined || text === undefined || step === undefined || done === undefined)
    throw new StepVideoError('environment', 'bench generate', 'the program must end with a video', `exit code ${code}`);
  const wall = (performance.now() - started) / 1000;
  const peakMB = (Number(await readFile(memoryFile, 'utf8')) * 1024) / 1e6;
  return { wall, ready, text: text - ready, denoise: step - text, decode: done - step, peakMB };
}

/** Arithmetic of the denoiser over all steps, guidance included, and of the decoder. */
async function workOf(asked: SamplingRequest): Promise<{ denoise: number; decode: number }> {
  const [transformer, vae] = [await openComponent(model, 'transformer'), await openComponent(model, 'vae')];
  const isGuided = asked.guidanceScale > 1;
  const tokenizers = await loadTokenizers(model);
  const texts = [asked.prompt + asked.promptSuffix, ...(isGuided ? [asked.negativePrompt] : [])];
  const tokens = texts.map((text) => tokenizers.tokenizePrompt(text));
  const text = { llm: Math.max(...tokens.map(({ llm }) => llm.length)), clip: tokens[0]!.clip.ids.length };
  const shape = latentShape(asked, transformer.config.in_channels);
  const velocity = velocityFlops(transformer.config, { batch: texts.length, shape, text });
  await Promise.all([transformer.source.close(), vae.source.close()]);
  return { denoise: asked.steps * velocity, decode: decodeFlops(vae.config, shape) };
}
