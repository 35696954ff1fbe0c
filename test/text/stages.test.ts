/** Encoders whose layers come and go give what one graph gives. */
import { afterAll, expect, it } from 'vitest';
import { loadTokenizers } from '../../src/prompt/tokenize.ts';
import { openSessions } from '../../src/runtime/session-cache.ts';
import type { Placement } from '../../src/runtime/stages.ts';
import { floats } from '../../src/runtime/value.ts';
import { loadTextEncoders } from '../../src/text/load.ts';
import { golden } from '../weights/temporary.ts';

const checkpoint = golden('checkpoint');
const tokenizers = await loadTokenizers(checkpoint);
const tokens = ['a red fox runs', '一只小猫'].map((prompt) => tokenizers.tokenizePrompt(prompt));
afterAll(() => expect(openSessions()).toBe(0));

const encode = async (llm: Placement, clip: Placement) => {
  const encoders = await loadTextEncoders(checkpoint, { device: 'cpu', threads: 1, placement: { llm, clip } });
  const text = await encoders.encode(tokens);
  const stopped = encoders.encode(tokens, { signal: AbortSignal.abort() });
  if (llm.weights === 'stages') await expect(stopped).rejects.toMatchObject({ kind: 'aborted' });
  await stopped.catch(() => {});
  await encoders.close();
  return [floats(text.llm), floats(text.clip)] as const;
};

it('equals the whole graphs to the bit where weights have 16 bits, and to rounding where they have 32', async () => {
  const whole = { weights: 'whole' } as const;
  const [llm, clip] = await encode(whole, whole);
  for (const held of [0, 2]) {
    const stages = { weights: 'stages', held } as const;
    const [stagedLlm, stagedClip] = await encode(stages, stages);
    expect(stagedLlm).toEqual(llm);
    // CLIP is stored in 32 bits: in one graph its weights are packed for the product, which sums in another order.
    const scale = Math.max(...clip.map(Math.abs));
    const apart = Math.max(...clip.map((value, i) => Math.abs(value - stagedClip[i]!)));
    expect(scale).toBeGreaterThan(0.5);
    expect(apart).toBeLessThan(1e-6 * scale);
  }
});
