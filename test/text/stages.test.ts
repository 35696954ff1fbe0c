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

it('equals the whole graphs to the bit, from weights of 16 bits and of 32', async () => {
  const whole = { weights: 'whole' } as const;
  const [llm, clip] = await encode(whole, whole);
  for (const held of [0, 2]) {
    const stages = { weights: 'stages', held } as const;
    const [stagedLlm, stagedClip] = await encode(stages, stages);
    expect(stagedLlm).toEqual(llm);
    // CLIP is stored in 32 bits, which the runtime packs for its products in either way.
    expect(stagedClip).toEqual(clip);
  }
});
