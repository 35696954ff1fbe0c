/**
 * One network of a checkpoint, held as a plan for the given memory says: measured peak against the plan's, and seconds. At the
 * official size with `npm run synthetic -- DIR` and `--model DIR`; without a model, one layer of that size made for the purpose.
 *
 *   npm run bench -- streamed [--only dit|llm|clip] [--model DIR] [--memory 8GB] [--size 256x256] [--frames 1] [--steps 1] [--threads N]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { gaussian } from '../src/diffusion/noise.ts';
import { loadDit } from '../src/dit/load.ts';
import { inputError } from '../src/errors.ts';
import { latentLength, latentShape } from '../src/latents.ts';
import { parseMemory } from '../src/memory-plan/memory-size.ts';
import { planMemory } from '../src/memory-plan/plan.ts';
import { placementText } from '../src/memory-plan/reasons.ts';
import { PRESETS } from '../src/presets.ts';
import { fillRequest, parseRequest } from '../src/request.ts';
import { float32 } from '../src/runtime/value.ts';
import type { TextTokens } from '../src/text/encode.ts';
import { loadTextEncoders } from '../src/text/load.ts';
import { peakResident } from './parts/process-memory.ts';
import { report } from './parts/report.ts';
import { OFFICIAL, writeSynthetic } from './parts/synthetic-checkpoint.ts';

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: { only: text, model: text, memory: text, size: text, frames: text, steps: text, threads: text },
});
const { only = 'dit', memory = '8GB', size = '256x256', frames = '1', steps = '1' } = values;
const COMPONENTS = { dit: 'transformer', llm: 'step_llm', clip: 'hunyuan_clip' } as const;
if (!Object.hasOwn(COMPONENTS, only)) throw inputError('bench', '--only must be one of dit, llm, clip', only);
const component = COMPONENTS[only as keyof typeof COMPONENTS];
const bytes = parseMemory(memory);
if (bytes === undefined) throw inputError('bench', '--memory must be an amount such as 8GB', memory);
const threads = values.threads === undefined ? undefined : Number(values.threads);

const made = values.model === undefined ? await mkdtemp(path.join(tmpdir(), 'step-video-bench-')) : undefined;
if (made !== undefined) {
  const transformer = { ...OFFICIAL.transformer, num_layers: 1 };
  const step_llm = { ...OFFICIAL.step_llm, num_layers: 1 };
  await writeSynthetic(made, { configs: { transformer, step_llm } });
}
const directory = values.model ?? (made as string);
const request = parseRequest({ prompt: 'bench', size, frames: Number(frames), guidanceScale: 1, steps: Number(steps) });
const sampling = fillRequest(request, PRESETS.official);
const plan = await planMemory(directory, sampling, { device: 'cpu', memory: bytes });
const planned = plan.networks.find((network) => network.component === component)!;
const options = { device: 'cpu', threads } as const;

const started = performance.now();
const cpu = process.cpuUsage();
const result = component === 'transformer' ? await velocity() : await states();
const seconds = (performance.now() - started) / 1e3;
const { user, system } = process.cpuUsage(cpu);
if (!result.every(Number.isFinite)) throw inputError('bench', 'every result must be finite');
const runs = component === 'transformer' ? Number(steps) : 1;
const flops = runs * planned.cost.stages.reduce((sum, stage) => sum + stage.flops, 0);
const peak = peakResident();
report(
  'streamed',
  [
    {
      network: only,
      held: placementText(planned),
      'weights GB': planned.cost.weights / 1e9,
      TFLOP: flops / 1e12,
      seconds,
      'processor s': (user + system) / 1e6,
      'peak MB': peak / 1e6,
      'planned MB': planned.peak / 1e6,
      'planned / peak': planned.peak / peak,
    },
  ],
  { memory, size, frames, steps, threads: threads ?? 'all' },
);
if (made !== undefined) await rm(made, { recursive: true });

async function velocity(): Promise<Float32Array> {
  const dit = await loadDit(directory, { ...options, placement: plan.placements.dit });
  const shape = latentShape(sampling, dit.config.in_channels);
  const normal = (length: number): Float32Array => gaussian({ seed: 1, length });
  const [llm, clip] = dit.config.caption_channels as readonly [number, number];
  const states = {
    llm: float32(normal(320 * llm), [1, 320, llm]),
    clip: float32(normal(77 * clip), [1, 77, clip]),
    lengths: [320],
  };
  const call = { latents: normal(latentLength(shape)), batch: 1, shape, t: 0.5, text: states };
  let result = await dit.velocity(call);
  // Stages are held for the steps after the first.
  for (let step = 1; step < Number(steps); step++) result = await dit.velocity(call);
  await dit.close();
  return result;
}

/** One encoder over a text of full length. */
async function states(): Promise<Float32Array> {
  const { llm, clip } = plan.placements;
  const encoders = await loadTextEncoders(directory, { ...options, placement: { llm, clip } });
  const ids = (length: number) => ({
    ids: new Int32Array(length).fill(5),
    mask: new Int32Array(length).fill(1),
    length,
  });
  const tokens: TextTokens = { llm: ids(320), clip: ids(77) };
  const encoded = await encoders.encodeOne(only as 'llm' | 'clip', [tokens]);
  await encoders.close();
  return encoded.data as Float32Array;
}
