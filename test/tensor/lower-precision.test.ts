/** Matrix products in 16 bits: which nodes change, what is stored, and how far results move. */
import { describe, expect, it } from 'vitest';
import { gaussian } from '../../src/diffusion/noise.ts';
import { compile } from '../../src/runtime/compile.ts';
import { float32, floats } from '../../src/runtime/value.ts';
import {
  add,
  attention,
  conv2d,
  input,
  layerNorm,
  lowerPrecision,
  matmul,
  mul,
  nameOf,
  parameter,
  reachable,
  type Tensor,
  verify,
} from '../../src/tensor/index.ts';

const ops = (y: Tensor): string[] => reachable([y]).map(({ op, dtype }) => `${op} ${dtype}`);
const parameters = (y: Tensor): Record<string, string> =>
  Object.fromEntries(reachable([y]).flatMap((x) => (x.op === 'Parameter' ? [[nameOf(x), x.dtype]] : [])));
const everything = (): boolean => true;

describe('the graph', () => {
  const x = input('x', [8, 8]);
  const [w, tied, unstored] = ['w', 'tied', 'unstored'].map((name) => parameter(name, [8, 8])) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const h = matmul(matmul(x, w), tied);
  const y = add(matmul(h, unstored), mul(tied, 0.5));

  it.each(['float16', 'bfloat16'] as const)(
    'has products in %s, and results and everything else in float32',
    (dtype) => {
      const [lowered] = lowerPrecision([y], dtype, (name) => name !== 'unstored');
      verify([lowered!]);
      expect(lowered!.dtype).toBe('float32');
      const seen = ops(lowered!);
      expect(seen.filter((op) => op.startsWith('MatMul'))).toEqual(new Array(3).fill(`MatMul ${dtype}`));
      expect(seen).toContain('Add float32');
      // A parameter that something else reads too, or that is fed, stays what it was.
      expect(parameters(lowered!)).toEqual({ w: dtype, tied: 'float32', unstored: 'float32' });
    },
  );

  it('passes 16 bits straight from one product to the next', () => {
    const [lowered] = lowerPrecision([h], 'bfloat16', everything);
    const [first, second] = reachable([lowered!]).filter(({ op }) => op === 'MatMul');
    expect(second!.inputs[0]).toBe(first);
  });

  it('is left alone where nothing is to be lowered', () => {
    const plain = add(x, 1);
    expect(lowerPrecision([plain], 'float16', everything)).toEqual([plain]);
  });
});

describe('results, on the CPU', () => {
  const value = (seed: number, shape: number[]) =>
    float32(gaussian({ seed, length: shape.reduce((a, b) => a * b, 1) }), shape);
  const feeds = { x: value(1, [1, 2, 6, 8]), w: value(2, [8, 8]), c: value(3, [2, 2, 3, 3]) };
  const [x, w, c] = Object.entries(feeds).map(([name, { shape }]) => input(name, shape)) as [Tensor, Tensor, Tensor];
  const run = async (y: Tensor, computeDtype: 'float32' | 'float16', more = {}) => {
    const executable = await compile({ y }, { device: 'cpu', threads: 1, computeDtype });
    const result = await executable.run({ ...feeds, ...more });
    await executable.dispose();
    return floats(result.y);
  };
  const furthest = (a: Float32Array, b: Float32Array): number =>
    a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i]!)), 0);

  it('move by about the rounding of float16, and do move', async () => {
    const s = mul(parameter('s', [8]), 1);
    const h = conv2d(x, c, undefined, [1, 1, 1, 1]);
    const q = matmul(layerNorm(h, s, s, 1e-5), w);
    const y = attention(q, q, h, { scale: 0.35, form: 'fused' });
    const more = { s: value(4, [8]) };
    const moved = furthest(await run(y, 'float16', more), await run(y, 'float32', more));
    expect(moved).toBeGreaterThan(1e-5);
    expect(moved).toBeLessThan(3e-2);
  });

  it('stay numbers where a whole row is masked: what float16 cannot hold is cut first', async () => {
    const bias = input('bias', [1, 1, 6, 6]);
    const y = attention(x, x, x, { scale: 1, form: 'fused', bias });
    const cuts = (dtype: 'float16' | 'bfloat16'): number =>
      reachable(lowerPrecision([y], dtype, everything)).filter(({ op }) => op === 'Max').length;
    expect([cuts('float16'), cuts('bfloat16')]).toEqual([1, 0]);
    const masked = float32(new Float32Array(36).fill(-1e9), [1, 1, 6, 6]);
    expect((await run(y, 'float16', { bias: masked })).every(Number.isFinite)).toBe(true);
  });
});
