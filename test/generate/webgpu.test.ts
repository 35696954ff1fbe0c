/**
 * Every stage on the WebGPU device against the CPU, on a tiny model in the official layout. Differences are over the largest
 * value of the CPU's result; both compute in float32 and add in different orders. All stages share one size, since a
 * software adapter takes seconds to compile the shaders of each.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gaussian } from '../../src/diffusion/noise.ts';
import { generate } from '../../src/generate.ts';
import { latentLength, latentShape } from '../../src/latents.ts';
import { loadPipeline } from '../../src/pipeline.ts';
import { presetOf } from '../../src/presets.ts';
import { settleDevice } from '../../src/runtime/settle-device.ts';
import { floats } from '../../src/runtime/value.ts';
import type { TextEmbedding } from '../../src/text/encode.ts';
import { loadVae } from '../../src/vae/load.ts';
import { writeTinyModel } from '../eval/tiny-model.ts';
import { missingAdapter } from '../runtime/software-adapter.ts';

const TOLERANCE = 1e-5;
/** A software adapter compiles every shader for itself, on a CPU that may be busy. */
const TIMEOUT = 300_000;

const DEVICES = ['cpu', 'webgpu'] as const;
const texts = ['一只小猫 runs', ''];
const video = { frames: 17, height: 16, width: 16 };

const failure = await missingAdapter('WebGPU stages');

const scratch = mkdtempSync(path.join(tmpdir(), 'webgpu-'));
const model = path.join(scratch, 'model');
const load = (device: (typeof DEVICES)[number]) => loadPipeline(model, { device, preset: presetOf(model), threads: 1 });
beforeAll(() => writeTinyModel(model));
afterAll(() => rmSync(scratch, { recursive: true }));

function expectEqual(name: string, webgpu: Float32Array, cpu: Float32Array): void {
  expect(webgpu.length, name).toBe(cpu.length);
  let [apart, largest] = [0, 0];
  cpu.forEach((value, i) => {
    apart = Math.max(apart, Math.abs(webgpu[i]! - value));
    largest = Math.max(largest, Math.abs(value));
  });
  expect(largest, name).toBeGreaterThan(0.01);
  expect(apart / largest, name).toBeLessThan(TOLERANCE);
}

/** The pieces of a stream, one after the other. */
async function whole(stream: AsyncIterable<Float32Array>): Promise<Float32Array> {
  const values: number[] = [];
  for await (const piece of stream) for (const value of piece) values.push(value);
  return Float32Array.from(values);
}

describe.skipIf(failure !== undefined)('on WebGPU as on the CPU', { timeout: TIMEOUT }, () => {
  let pipelines: Awaited<ReturnType<typeof load>>[];
  let text: TextEmbedding;
  beforeAll(async () => {
    pipelines = await Promise.all(DEVICES.map(load));
    text = await pipelines[0]!.encodeText(texts);
  });
  afterAll(() => Promise.all(pipelines.map((pipeline) => pipeline.close())));

  it('Step-LLM and Hunyuan-CLIP', async () => {
    const states = await pipelines[1]!.encodeText(texts);
    expectEqual('llm', floats(states.llm), floats(text.llm));
    expectEqual('clip', floats(states.clip), floats(text.clip));
  });

  it('the denoiser', async () => {
    const shape = latentShape(video, pipelines[0]!.latentChannels);
    const latents = gaussian({ seed: 1, length: 2 * latentLength(shape) });
    const velocities = await Promise.all(
      pipelines.map((pipeline) => pipeline.velocity({ latents, batch: 2, shape, t: 0.3, text })),
    );
    expectEqual('velocity', velocities[1]!, velocities[0]!);
  });

  it('decoding', async () => {
    const shape = latentShape(video, pipelines[0]!.latentChannels);
    const latents = gaussian({ seed: 2, length: latentLength(shape) });
    const [cpu, webgpu] = [
      await whole(pipelines[0]!.decode(latents, shape)),
      await whole(pipelines[1]!.decode(latents, shape)),
    ];
    expectEqual('pixels', webgpu, cpu);
  });

  it('encoding', async () => {
    const pixels = gaussian({ seed: 3, length: 4 * 3 * 16 * 16 }).map(Math.tanh);
    const moments: Float32Array[] = [];
    for (const device of DEVICES) {
      const vae = await loadVae(model, { device, threads: 1 });
      moments.push(await vae.moments(pixels, { frames: 4, height: 16, width: 16 }));
      await vae.close();
    }
    expectEqual('moments', moments[1]!, moments[0]!);
  });

  it('a whole generation: no pixel is more than one step of brightness away', async () => {
    const videos: Uint8Array[][] = [];
    for (const pipeline of pipelines) {
      const frames: Uint8Array[] = [];
      const out = path.join(scratch, `frames-${videos.length}/`);
      const request = { prompt: texts[0]!, negativePrompt: '', size: '16x16', frames: 17, steps: 2, seed: 5, out };
      for await (const event of generate({ ...request, format: 'png' }, { pipeline }))
        if (event.type === 'frame') frames.push(event.rgb.slice());
      videos.push(frames);
    }
    const [cpu, webgpu] = videos as [Uint8Array[], Uint8Array[]];
    expect(webgpu).toHaveLength(17);
    expect(new Set(cpu[0]).size).toBeGreaterThan(20);
    for (const [i, frame] of cpu.entries())
      for (const [at, value] of frame.entries()) expect(Math.abs(value - webgpu[i]![at]!)).toBeLessThanOrEqual(1);
  });

  it('a request for it gets it', async () => {
    expect(await settleDevice('webgpu')).toEqual({ device: 'webgpu', warning: undefined });
  });
});

it.runIf(failure !== undefined)('without an adapter the CPU takes over and says so', { timeout: TIMEOUT }, async () => {
  const request = { prompt: 'a fox', model, size: '16x16', frames: 1, steps: 1, device: 'webgpu' as const };
  const warnings: (string | undefined)[] = [];
  for await (const event of generate({ ...request, out: path.join(scratch, 'fallen/'), format: 'png' }))
    if (event.type === 'start') warnings.push(event.deviceWarning);
  expect(warnings).toEqual([expect.stringMatching(/^device webgpu needs .+, so this runs on the CPU/)]);
});
