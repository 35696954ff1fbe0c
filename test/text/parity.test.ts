import { describe, expect, it } from 'vitest';
import { compare } from '../../src/parity/compare.ts';
import { compareClip, compareStepLlm } from '../../src/parity/text.ts';
import { openRecordedSet } from '../../src/parity/vectors.ts';
import { floats } from '../../src/runtime/value.ts';
import type { TextTokens, TokenIds } from '../../src/text/encode.ts';
import { loadTextEncoders } from '../../src/text/load.ts';

const recorded = new URL('../golden/parity', import.meta.url).pathname;

describe('text encoders against the recorded layers', () => {
  for (const form of ['fused', 'primitive'] as const) {
    it(`Hunyuan-CLIP, ${form} attention`, async () => {
      const comparisons = await compareClip(recorded, 'bert', form);
      expect(comparisons).toHaveLength(5);
      expect(comparisons.filter(({ ok }) => !ok)).toEqual([]);
    });

    it(`Step-LLM, ${form} attention`, async () => {
      const comparisons = await compareStepLlm(recorded, 'stepllm', form);
      expect(comparisons).toHaveLength(7);
      expect(comparisons.filter(({ ok }) => !ok)).toEqual([]);
    });
  }
});

describe('both encoders of a checkpoint directory', () => {
  const rows = (ids: Int32Array, mask: Int32Array): TokenIds[] =>
    [0, 1].map((b) => {
      const width = ids.length / 2;
      const own = mask.slice(b * width, (b + 1) * width);
      return { ids: ids.slice(b * width, (b + 1) * width), mask: own, length: own.reduce((sum, v) => sum + v, 0) };
    });

  it('give the states of the recorded run; without padding, its valid ones', async () => {
    const run = await openRecordedSet(recorded, 'pipeline');
    const ints = async (name: string) => (await run.read(name)).data as Int32Array;
    const promptMask = await ints('prompt_mask');
    const llmMask = Int32Array.of(...promptMask.subarray(77, 397), ...promptMask.subarray(397 + 77));
    const llm = rows(await ints('llm_ids'), llmMask);
    const clip = rows(await ints('clip_ids'), await ints('clip_mask'));
    const tokens: TextTokens[] = [0, 1].map((b) => ({ llm: llm[b]!, clip: clip[b]! }));

    const encoders = await loadTextEncoders(`${recorded}/checkpoint`, { device: 'cpu', threads: 1 });
    const whole = await encoders.encode(tokens, { whole: true });
    const states = { llm: floats(await run.read('llm_states')), clip: floats(await run.read('clip_states')) };
    for (const encoder of ['llm', 'clip'] as const) {
      const name = `${encoder}_states`;
      expect(compare(name, floats(whole[encoder]), states[encoder], { deviation: run.deviation(name) })).toMatchObject({
        ok: true,
      });
    }

    const short = await encoders.encode(tokens);
    const longest = Math.max(...short.lengths);
    expect(short.lengths).toEqual(llm.map(({ length }) => length));
    expect(short.llm.shape).toEqual([2, longest, 96]);
    for (const b of [0, 1]) {
      const size = short.lengths[b]! * 96;
      const computed = floats(short.llm).subarray(b * longest * 96, b * longest * 96 + size);
      const kept = states.llm.subarray(b * 320 * 96, b * 320 * 96 + size);
      expect(compare('valid states', computed, kept, { deviation: run.deviation('llm_states') })).toMatchObject({
        ok: true,
      });
    }

    const foreign = { ...tokens[0]!, llm: { ...llm[0]!, ids: llm[0]!.ids.map(() => 5000) } };
    await expect(encoders.encode([foreign])).rejects.toThrow('ids for Step-LLM must be below 768, got 5000');
    await encoders.close();
    await run.close();
  });
});
