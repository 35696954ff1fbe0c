/** A denoiser whose blocks come and go gives what one graph gives; what happens to its files meanwhile is noticed. */
import { appendFileSync, cpSync, renameSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { gaussian } from '../../src/diffusion/noise.ts';
import { type Dit, loadDit, type VelocityCall } from '../../src/dit/load.ts';
import { latentLength } from '../../src/latents.ts';
import { openRecordedSet } from '../../src/parity/vectors.ts';
import { openSessions } from '../../src/runtime/session-cache.ts';
import type { Placement } from '../../src/runtime/stages.ts';
import { floats } from '../../src/runtime/value.ts';
import { SCHEMES } from '../../src/weights/quantization.ts';
import { quantizeCheckpoint } from '../../src/weights/quantize-checkpoint.ts';
import { temporaryFolder } from '../weights/temporary.ts';

const recorded = new URL('../golden/parity', import.meta.url).pathname;
const folder = temporaryFolder();
const cpu = { device: 'cpu', threads: 1 } as const;
const stages = (held: number): Placement => ({ weights: 'stages', held });

let call: VelocityCall;
let expected: Float32Array;
const opened: Dit[] = [];
const open = async (directory: string, placement?: Placement): Promise<Dit> => {
  const dit = await loadDit(directory, { ...cpu, placement });
  opened.push(dit);
  return dit;
};

beforeAll(async () => {
  const run = await openRecordedSet(recorded, 'pipeline');
  const one = floats(await run.read('noise'));
  const text = { llm: await run.read('llm_states'), clip: await run.read('clip_states'), lengths: [24, 17] };
  const shape = { frames: 6, channels: 2, height: 2, width: 3 };
  call = { latents: Float32Array.of(...one, ...one), batch: 2, shape, t: 0.25, text };
  await run.close();
  const whole = await open(`${recorded}/checkpoint`);
  expected = await whole.velocity(call);
  await whole.close();
});
afterEach(() => Promise.all(opened.splice(0).map((dit) => dit.close())));
afterAll(() => expect(openSessions()).toBe(0));

describe('a denoiser held by stages', () => {
  // Enter, two blocks, leave.
  it.each([0, 2])('with %i of 4 stages held equals the whole graph to the bit, again and again', async (held) => {
    const dit = await open(`${recorded}/checkpoint`, stages(held));
    for (let run = 0; run < 2; run++) {
      expect(await dit.velocity(call)).toEqual(expected);
      expect(openSessions()).toBe(held);
    }
  });

  // 36 tokens: 3 of 12, and 5 of 7 or 8.
  it.each([12, 8])('equals it with its tokens in tiles of %i', async (tile) => {
    const dit = await open(`${recorded}/checkpoint`, { weights: 'stages', held: 4, tile });
    expect(await dit.velocity(call)).toEqual(expected);
  });

  it('equals it among so many tokens that no logits are kept, whole and in tiles', async () => {
    const shape = { frames: 20, channels: 2, height: 6, width: 9 };
    const many = { ...call, shape, latents: gaussian({ seed: 2, length: 2 * latentLength(shape) }) };
    const whole = await (await open(`${recorded}/checkpoint`)).velocity(many);
    for (const tile of [1080, 250]) {
      const dit = await open(`${recorded}/checkpoint`, { weights: 'stages', held: 0, tile });
      expect(await dit.velocity(many)).toEqual(whole);
    }
  });

  it.each<[string, Placement]>([
    ['streamed', { ...stages(0), apart: true }],
    ['in one graph', { weights: 'whole', apart: true } as const],
  ])('equals it with the samples of the batch one after another, %s', async (_, placement) => {
    const dit = await open(`${recorded}/checkpoint`, placement);
    const velocity = await dit.velocity(call);
    // Kernels cut a batch of two otherwise than one of one, so sums are rounded in another order.
    const largest = Math.max(...expected.map(Math.abs));
    const deviation = Math.max(...velocity.map((v, i) => Math.abs(v - expected[i]!)));
    expect(deviation / largest).toBeLessThan(2e-6);
    expect(velocity).toHaveLength(expected.length);
  });

  it.each(SCHEMES)('equals it with weights in %s', async (to) => {
    const { out } = await quantizeCheckpoint(`${recorded}/checkpoint`, { to, out: join(folder, to) });
    const [whole, streamed] = [await open(out), await open(out, stages(0))];
    const quantized = await whole.velocity(call);
    expect(quantized).not.toEqual(expected);
    expect(await streamed.velocity(call)).toEqual(quantized);
  });

  it('stops between stages', async () => {
    const dit = await open(`${recorded}/checkpoint`, stages(0));
    const stopped = dit.velocity({ ...call, signal: AbortSignal.abort() });
    await expect(stopped).rejects.toMatchObject({ kind: 'aborted' });
    expect(openSessions()).toBe(0);
    expect(await dit.velocity(call)).toEqual(expected);
  });
});

describe('files under a running denoiser', () => {
  const shard = 'transformer/diffusion_pytorch_model-00002-of-00002.safetensors';
  const spoils: [string, (file: string) => void, RegExp][] = [
    [
      'cut short',
      (file) => truncateSync(file, statSync(file).size - 5000),
      /00002-of-00002.*(must be there|must stay)/,
    ],
    ['written to', (file) => appendFileSync(file, 'x'), /00002-of-00002.*must stay as it was opened, \d+ bytes of/],
    [
      'replaced',
      (file) => {
        cpSync(file, `${file}.new`);
        renameSync(`${file}.new`, file);
      },
      /must stay as it was opened/,
    ],
    ['removed', (file) => renameSync(file, `${file}.gone`), /nothing there/],
  ];
  it.each(spoils)(
    '%s: a checkpoint error names the file, nothing is computed from it',
    async (name, spoil, message) => {
      const directory = join(folder, name.replaceAll(' ', '-'));
      cpSync(`${recorded}/checkpoint/transformer`, join(directory, 'transformer'), { recursive: true });
      const dits = [await open(directory, stages(4)), await open(directory, stages(0))];
      for (const dit of dits) expect(await dit.velocity(call)).toEqual(expected);
      spoil(join(directory, shard));
      for (const dit of dits) {
        const failed = dit.velocity(call);
        await expect(failed).rejects.toMatchObject({ kind: 'checkpoint' });
        await expect(failed).rejects.toThrow(message);
      }
    },
  );
});
