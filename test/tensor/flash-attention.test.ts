/** Attention over many keys keeps no logits: the same numbers as all at once, whatever queries come together. */
import { expect, it } from 'vitest';
import { gaussian } from '../../src/diffusion/noise.ts';
import { compile } from '../../src/runtime/compile.ts';
import { float32, floats } from '../../src/runtime/value.ts';
import {
  attention,
  concat,
  flashAttention,
  input,
  reshape,
  slice,
  type Tensor,
  transpose,
} from '../../src/tensor/index.ts';

const [BATCH, TOKENS, HEADS, WIDTH] = [2, 1100, 3, 8] as const;
const shape = [BATCH, TOKENS, HEADS, WIDTH];
const [q, k, v] = ['q', 'k', 'v'].map((name) => input(name, shape)) as [Tensor, Tensor, Tensor];
const feeds = Object.fromEntries(
  ['q', 'k', 'v'].map((name, i) => [
    name,
    float32(gaussian({ seed: 3, stream: i, length: BATCH * HEADS * TOKENS * WIDTH }), shape),
  ]),
);
const scale = 1 / Math.sqrt(WIDTH);

async function computed(y: Tensor): Promise<Float32Array> {
  const executable = await compile({ y }, { device: 'cpu', threads: 2 });
  const result = await executable.run(feeds);
  await executable.dispose();
  return floats(result.y);
}

it('equals attention of primitive ops', async () => {
  const turned = (x: Tensor): Tensor => transpose(x, [0, 2, 1, 3]);
  const apart = attention(turned(q), turned(k), turned(v), { scale, form: 'primitive' });
  const primitive = reshape(turned(apart), [BATCH, TOKENS, HEADS * WIDTH]);
  const [ours, theirs] = [await computed(flashAttention(q, k, v, { scale })), await computed(primitive)];
  const worst = ours.reduce((most, x, i) => Math.max(most, Math.abs(x - theirs[i]!)), 0);
  expect(worst).toBeLessThan(2e-6);
});

it('gives every query the same to the bit, whatever others come with it', async () => {
  const over = (queries: Tensor) => flashAttention(queries, k, v, { scale });
  const cuts = [0, 7, 300, 1024, TOKENS];
  const pieces = concat(
    cuts.slice(1).map((end, i) => over(slice(q, 1, cuts[i]!, end))),
    1,
  );
  expect(await computed(pieces)).toEqual(await computed(over(q)));
});
