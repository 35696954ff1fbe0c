/** Graphs of the decoder's parts: what else they give is on the way to their pixels, so it is made early and frees what it came from. */
import { expect, it } from 'vitest';
import { reachable } from '../../src/tensor/index.ts';
import type { VaeConfig } from '../../src/vae/config.ts';
import { middleSegment, type Segment, tailSegment } from '../../src/vae/decoder-segments.ts';
import { openComponent } from '../../src/weights/checkpoint.ts';

const model = new URL('../../models/mini', import.meta.url).pathname;
const { config, source } = await openComponent(model, 'vae');
await source.close();

const parts: [string, (config: VaeConfig, channels: { middle: number; tail: number }) => Segment][] = [
  ['the middle, frame by frame', (c, { middle }) => middleSegment(c, 'fused', [1, 1, middle, 4, 4])],
  ...[1, 2, 5].flatMap((slab) =>
    (['own', 'measured'] as const).map((norms): (typeof parts)[number] => [
      `the tail, ${slab} at a time, its norms ${norms}`,
      (c, { tail }) => tailSegment(c, 'fused', [1, slab, tail, 4, 4], norms),
    ]),
  ),
];

it.each(parts)('%s', (_, build) => {
  const { ch, ch_mult } = config.decoder;
  const segment = build(config, { middle: ch * ch_mult[3]!, tail: ch * ch_mult[2]! });
  const read = new Set(reachable([segment.y!]).flatMap(({ inputs }) => inputs));
  const others = Object.entries(segment).filter(([name]) => name !== 'y');
  expect(others.length).toBeGreaterThan(3);
  for (const [name, other] of others) expect(read.has(other), name).toBe(true);
});
