/** The same story over real networks: the recorded tiny checkpoint in the official layout, from a sentence to frames. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GenerateEvent, generate } from '../../src/generate.ts';
import { loadPipeline, type Pipeline } from '../../src/pipeline.ts';
import { presetOf } from '../../src/presets.ts';
import type { GenerateRequest } from '../../src/request.ts';
import { settleDevice } from '../../src/runtime/settle-device.ts';
import { readFrames } from '../../src/video/decode.ts';

const checkpoint = fileURLToPath(new URL('../golden/parity/checkpoint', import.meta.url));
let scratch: string;
let pipeline: Pipeline;
beforeAll(async () => {
  scratch = mkdtempSync(path.join(tmpdir(), 'checkpoint-'));
  pipeline = await loadPipeline(checkpoint, { device: 'cpu', preset: presetOf(checkpoint), threads: 1 });
});
afterAll(async () => {
  await pipeline.close();
  rmSync(scratch, { recursive: true });
});
const at = (name: string): string => path.join(scratch, name);

const request: GenerateRequest = {
  prompt: '一只小猫在草地上奔跑',
  size: '16x32',
  frames: 34,
  steps: 3,
  seed: 5,
  format: 'png',
};

async function collect(
  events: AsyncIterable<GenerateEvent>,
): Promise<{ frames: Uint8Array[]; events: GenerateEvent[] }> {
  const seen: GenerateEvent[] = [];
  for await (const event of events) seen.push(event);
  return { events: seen, frames: seen.flatMap((event) => (event.type === 'frame' ? [event.rgb] : [])) };
}

describe('a tiny official-layout checkpoint', () => {
  it('makes the frames that it says, and the same ones again after being stopped and resumed', async () => {
    const whole = await collect(generate({ ...request, out: at('whole/') }, { pipeline }));
    expect(whole.frames).toHaveLength(34);
    expect(new Set(whole.frames[0]).size).toBeGreaterThan(20);
    const written: Uint8Array[] = [];
    for await (const { rgb } of readFrames(at('whole'))) written.push(new Uint8Array(rgb));
    expect(written).toEqual(whole.frames);

    const stop = new AbortController();
    const stopped = (async () => {
      for await (const event of generate({ ...request, out: at('part/') }, { pipeline, signal: stop.signal })) {
        if (event.type === 'step' && event.step === 2) stop.abort();
      }
    })();
    await expect(stopped).rejects.toMatchObject({ kind: 'aborted' });
    const resumed = await collect(
      generate({ resume: at('part.latents.safetensors'), out: at('part/'), format: 'png' }, { pipeline }),
    );
    expect(resumed.frames).toEqual(whole.frames);
  });

  it('makes the same frames of weights that come and go and tokens in tiles', async () => {
    const small = { ...request, frames: 17, steps: 2 };
    const whole = await collect(generate({ ...small, out: at('held/') }, { pipeline }));
    const stages = { weights: 'stages', held: 0 } as const;
    const placements = { llm: stages, clip: stages, dit: { ...stages, tile: 3 } };
    const options = { device: 'cpu', preset: presetOf(checkpoint), threads: 1, placements } as const;
    const streaming = await loadPipeline(checkpoint, options);
    const streamed = await collect(generate({ ...small, out: at('streamed/') }, { pipeline: streaming }));
    await streaming.close();
    expect(streamed.frames).toEqual(whole.frames);
  });

  it('is refused before any work where no plan fits the memory that is allowed', async () => {
    const run = collect(generate({ ...request, model: checkpoint, memory: '1MB', out: at('never/') }));
    await expect(run).rejects.toMatchObject({ kind: 'input' });
    await expect(run).rejects.toThrow(/^plan: memory must be at least [\d.]+ [MG]B, .* got 1 MB \(try memory [\d.]+GB/);
    expect(existsSync(at('never/'))).toBe(false);
  });

  it('is loaded by its path and freed again', async () => {
    const { events } = await collect(
      generate({ ...request, frames: 1, steps: 1, out: at('still/'), model: checkpoint }),
    );
    expect(events[0]).toMatchObject({ type: 'start', model: checkpoint });
    expect(events.at(-1)).toMatchObject({ type: 'done', frames: 1 });
  });
});

describe('a device that is not there', async () => {
  const { device: settled } = await settleDevice('cuda');

  it.skipIf(settled === 'cuda')('is replaced by the CPU, with a sentence and the same frames', async () => {
    const one = { ...request, frames: 1, steps: 1, model: checkpoint };
    const onCpu = await collect(generate({ ...one, out: at('cpu/') }));
    const fallen = await collect(generate({ ...one, device: 'cuda', out: at('cuda/') }));
    expect(onCpu.events[0]).toMatchObject({ type: 'start', deviceWarning: undefined });
    expect(fallen.events[0]).toMatchObject({
      type: 'start',
      deviceWarning: expect.stringMatching(/^device cuda needs .+, so this runs on the CPU \(to install: .+\)$/),
    });
    expect(fallen.frames).toEqual(onCpu.frames);
  });
});

describe('a checkpoint that is not whole is refused before anything runs', () => {
  const broken: [string, (directory: string) => void, RegExp][] = [
    ['without its VAE', (d) => rmSync(path.join(d, 'vae'), { recursive: true }), /vae/],
    [
      'without a shard that its index names',
      (d) => rmSync(path.join(d, 'step_llm/model-00002-of-00002.safetensors')),
      /model-00002-of-00002/,
    ],
    [
      'with another transformer config',
      (d) => edit(path.join(d, 'transformer/config.json'), { num_layers: 3 }),
      /transformer_blocks\.2/,
    ],
    [
      'with text encoders of another model',
      (d) => edit(path.join(d, 'transformer/config.json'), { caption_channels: [96, 32] }),
      /clip_projection/,
    ],
    [
      'with a tokenizer cut short',
      (d) => truncate(path.join(d, 'step_llm/step1_chat_tokenizer.model')),
      /step1_chat_tokenizer\.model/,
    ],
  ];
  function edit(file: string, change: object): void {
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...change }));
  }
  function truncate(file: string): void {
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.subarray(0, bytes.length - 100));
  }

  it.each(broken)('%s', async (name, spoil, message) => {
    const directory = at(name.replaceAll(' ', '-'));
    cpSync(checkpoint, directory, { recursive: true });
    spoil(directory);
    const run = collect(generate({ prompt: 'a fox', model: directory, out: at('never.mp4') }));
    await expect(run).rejects.toThrow(message);
    await expect(run).rejects.toMatchObject({ kind: 'checkpoint' });
  });
});
