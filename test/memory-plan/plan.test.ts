/** Plans of a whole checkpoint: at the official size, made of holes, and at a tiny one that then runs as planned. */
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeSynthetic } from '../../bench/parts/synthetic-checkpoint.ts';
import { formatPlan } from '../../src/memory-plan/format.ts';
import { parseMemory } from '../../src/memory-plan/memory-size.ts';
import { planMemory } from '../../src/memory-plan/plan.ts';
import { PRESETS } from '../../src/presets.ts';
import { temporaryFolder } from '../weights/temporary.ts';

const folder = temporaryFolder();
const directory = join(folder, 'official');
beforeAll(() => writeSynthetic(directory));

const still = { ...PRESETS.official, frames: 1, height: 256, width: 256, guidanceScale: 1 };
const cpu = { device: 'cpu' } as const;
const rates = { flops: 1e11, decoding: 1e9, reading: 1e9 };

describe('the official size', () => {
  it('streams in 8 GB, and holds more of the denoiser in more memory', async () => {
    const plan = await planMemory(directory, still, { ...cpu, memory: 8e9 });
    expect(plan.peak).toBeLessThanOrEqual(8e9);
    const { llm, dit } = plan.placements;
    expect(llm).toEqual({ weights: 'stages', held: 0 });
    expect(dit).toMatchObject({ weights: 'stages' });
    const held = [8e9, 16e9, 64e9].map(async (memory) => {
      const { placements } = await planMemory(directory, still, { ...cpu, memory });
      return placements.dit.weights === 'stages' ? placements.dit.held : Number.NaN;
    });
    const [few, more, all] = await Promise.all(held);
    expect(few).toBeGreaterThan(0);
    expect(more).toBeGreaterThan(few!);
    expect(all).toBe(50);
    const text = formatPlan(plan, rates);
    expect(text).toMatch(/^Step-LLM +39\.2 GB +streamed, 0 of 49 stages resident +\d/m);
    expect(text).toMatch(/^memory: .* at the peak, of 8\.00 GB allowed$/m);
    // 13 TFLOP a step at 100 GFLOP/s, and 58.7 GB read meanwhile at 1 GB/s.
    const denoiser = plan.networks.find(({ component }) => component === 'transformer')!;
    expect(denoiser.cost.stages.reduce((sum, { flops }) => sum + flops, 0)).toBeGreaterThan(13e12);
  });

  it('cuts tokens into tiles where what lies between the layers of all would not fit', async () => {
    const video = { ...still, frames: 102, height: 544, width: 992 };
    const plans = [11e9, 60e9].map((memory) => planMemory(directory, video, { ...cpu, memory }));
    const [small, large] = await Promise.all(plans);
    expect(large!.placements.dit).not.toHaveProperty('tile');
    expect(small!.placements.dit).toHaveProperty('tile');
    // The logits of both samples, of 4,608 tokens each, would take 8 GB.
    const smaller = await planMemory(directory, { ...still, frames: 102, guidanceScale: 9 }, { ...cpu, memory: 5e9 });
    expect(smaller.placements.dit).not.toHaveProperty('tile');
  });

  it('runs both samples of guidance one after another where they would not fit side by side', async () => {
    const official = { ...still, frames: 204, height: 544, width: 992, guidanceScale: 9 };
    const plan = await planMemory(directory, official, { ...cpu, memory: 24e9 });
    expect(plan.placements.dit).toMatchObject({ apart: true });
    expect(plan.networks.find(({ component }) => component === 'transformer')!.cost.runs).toBe(2 * official.steps);
    expect(formatPlan(plan, rates)).toMatch(/^denoiser .*, samples apart +\d/m);
  });

  it('refuses to skip steps of a denoiser that does not fit whole, unless only the decoder runs', async () => {
    const cached = { ...still, stepCache: 0.1 };
    const refused = planMemory(directory, cached, { ...cpu, memory: 8e9 });
    await expect(refused).rejects.toMatchObject({ kind: 'input' });
    await expect(refused).rejects.toThrow(
      'plan: a step cache needs the denoiser whole in memory, got weights by stages (try stepCache 0)',
    );
    await planMemory(directory, cached, { ...cpu, memory: 8e9, decodeOnly: true });
  });

  // The decoder at the first size, the denoiser at the second.
  it.each([
    { frames: 17, height: 544, width: 992, memory: 4e9 },
    { frames: 204, height: 256, width: 256, memory: 2.5e9 },
  ])(
    'offers only what helps: guidance has no part in the least memory, $frames frames',
    async ({ memory, ...size }) => {
      const least = async (guidanceScale: number): Promise<string> =>
        planMemory(directory, { ...still, ...size, guidanceScale }, { ...cpu, memory }).then(
          () => 'planned',
          (error) => error.message,
        );
      const guided = await least(9);
      expect(guided).toMatch(/got \d\.\d+ GB \(try memory [\d.]+GB, or a smaller size or fewer frames\)$/);
      expect(await least(1)).toBe(guided);
    },
  );

  it('says the least that would do, and which options lower it; that least does', async () => {
    const refused = planMemory(directory, still, { ...cpu, memory: 1e9 });
    await expect(refused).rejects.toMatchObject({ kind: 'input' });
    const error = (await refused.catch((e) => e)) as { message: string; hint: string };
    expect(error.message).toMatch(
      /^plan: memory must be at least [\d.]+ GB, the least that the \w.* takes at this size, got 1\.00 GB \(try memory [\d.]+GB, or a smaller size or fewer frames\)$/,
    );
    const least = parseMemory(/memory ([\d.]+GB)/.exec(error.hint)![1]!)!;
    expect((await planMemory(directory, still, { ...cpu, memory: least })).peak).toBeLessThanOrEqual(least);
  });

  it('is not refused where nobody asked for a limit, and never streamed to other devices', async () => {
    const free = await planMemory(directory, still, cpu);
    expect(free.asked).toBe(false);
    // Decoding begins later, when other memory may be free.
    expect(free.placements.decodeBytes).toBeUndefined();
    const { placements } = await planMemory(directory, still, { device: 'webgpu', memory: 500e9 });
    expect(placements.dit).toMatchObject({ weights: 'stages', held: 50 });
  });
});
