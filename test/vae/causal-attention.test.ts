/** Attention in blocks of queries gives what one over all tokens gives, gradients included. */
import { expect, it } from 'vitest';
import { gaussian } from '../../src/diffusion/noise.ts';
import { compare } from '../../src/parity/compare.ts';
import { compile } from '../../src/runtime/compile.ts';
import { float32, floats } from '../../src/runtime/value.ts';
import { grad, input, square, sum, type Tensor } from '../../src/tensor/index.ts';
import { causalAttention } from '../../src/vae/causal-attention.ts';

const shape = [2, 1, 37, 8];
const inputs = ['q', 'k', 'v'].map((name) => input(name, shape)) as [Tensor, Tensor, Tensor];
const feeds = Object.fromEntries(
  ['q', 'k', 'v'].map((name, i) => [name, float32(gaussian({ seed: i, length: 2 * 37 * 8 }), shape)]),
);

it.each([
  ['fused', 10],
  ['fused', 36],
  ['primitive', 1],
  ['primitive', 37],
] as const)('%s, blocks of %i', async (form, blockTokens) => {
  const whole = causalAttention(inputs, { scale: 0.3, form });
  const blocks = causalAttention(inputs, { scale: 0.3, form, wholeTokens: 5, blockTokens });
  expect(blocks).not.toBe(whole);
  const outputs: Record<string, Tensor> = { whole, blocks };
  if (form === 'primitive')
    for (const [name, y] of [
      ['whole', whole],
      ['blocks', blocks],
    ] as const)
      grad(sum(square(y)), inputs).forEach((g, i) => {
        outputs[`${name} gradient ${i}`] = g;
      });
  const graph = await compile(outputs, { device: 'cpu', threads: 1 });
  const results = await graph.run(feeds);
  await graph.dispose();
  for (const name of Object.keys(outputs).filter((each) => each.startsWith('whole'))) {
    const other = floats(results[name.replace('whole', 'blocks')]);
    expect(compare(name, other, floats(results[name]))).toMatchObject({ ok: true });
  }
});
