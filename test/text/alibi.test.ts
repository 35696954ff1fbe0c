import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Scope } from '../../src/nn/scope.ts';
import { constantOf, grad, input, mean, sameShape, square, verify } from '../../src/tensor/index.ts';
import { alibiSlopes, sqrtAlibiBias } from '../../src/text/alibi.ts';
import { hunyuanClip } from '../../src/text/hunyuan-clip.ts';
import { stepLlm } from '../../src/text/step-llm.ts';
import { parseConfig } from '../../src/weights/component-config.ts';
import { expectedHunyuanClip, expectedStepLlm } from '../../src/weights/manifest.ts';

const golden = new URL('../golden/parity/', import.meta.url);

it('slopes are the recorded ones, also where the number of heads is no power of two', () => {
  const { alibi_slopes: slopes } = JSON.parse(readFileSync(new URL('stepllm.json', golden), 'utf8'));
  for (const [heads, recorded] of Object.entries<number[]>(slopes)) {
    const own = alibiSlopes(Number(heads));
    expect(own).toHaveLength(recorded.length);
    own.forEach((slope, i) => {
      expect(slope).toBeCloseTo(recorded[i]!, 6);
    });
  }
});

it('the bias is zero on the diagonal, falls with distance, and forbids looking ahead', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 12 }), (heads, length) => {
      const data = constantOf(sqrtAlibiBias(heads, length)) as Float32Array;
      for (let h = 0; h < heads; h++)
        for (let i = 0; i < length; i++)
          for (let j = 0; j < length; j++) {
            const bias = data[(h * length + i) * length + j]!;
            if (j > i) expect(bias).toBeLessThan(-1e8);
            else if (j === i) expect(bias).toBeCloseTo(0, 12);
            else expect(bias).toBeLessThan(data[(h * length + i) * length + j + 1]!);
          }
    }),
    { numRuns: 20 },
  );
});

it('encoders declare exactly the tensors of their configs, and their primitive forms have gradients for all', () => {
  const text = readFileSync(new URL('checkpoint/step_llm/config.json', golden), 'utf8');
  const llmConfig = parseConfig('step_llm', JSON.parse(text), 'test');
  const clipText = readFileSync(new URL('checkpoint/hunyuan_clip/clip_text_encoder/config.json', golden), 'utf8');
  const clipConfig = parseConfig('hunyuan_clip', JSON.parse(clipText), 'test');
  const ids = input('ids', [2, 7], 'int32');
  const [llmScope, clipScope] = [new Scope(), new Scope()];
  const llm = stepLlm(llmScope, llmConfig, 'primitive')(ids);
  const clip = hunyuanClip(clipScope, clipConfig, 'primitive')({ ids, mask: input('mask', [2, 7]) });
  for (const [scope, states, expected] of [
    [llmScope, llm, expectedStepLlm(llmConfig)],
    [clipScope, clip, expectedHunyuanClip(clipConfig)],
  ] as const) {
    const { tensors, specs } = scope;
    expect([...specs.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [name, shape] of expected) expect(sameShape(specs.get(name)!.shape, shape), name).toBe(true);
    const gradients = grad(mean(square(states)), [...tensors.values()]);
    verify(gradients);
    gradients.forEach((g, i) => {
      expect(sameShape(g.shape, [...tensors.values()][i]!.shape)).toBe(true);
      expect(g.op).not.toBe('Expand');
    });
  }
});
