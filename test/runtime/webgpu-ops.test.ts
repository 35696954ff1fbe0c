/**
 * Every op and gradient on the WebGPU device, where one loads: a real adapter, or the software one of Debian's chromium.
 */
import { expect, test } from 'vitest';
import { capabilitiesOf } from '../../src/runtime/device.ts';
import { program } from '../../src/runtime/program.ts';
import { zeros } from '../../src/runtime/value.ts';
import { attention, gelu, input, layerNorm, matmul, parameter, reshape, rmsNorm } from '../../src/tensor/index.ts';
import { opSuite } from './op-suite.ts';
import { missingAdapter } from './software-adapter.ts';

const failure = await missingAdapter('WebGPU ops');

if (failure === undefined) {
  opSuite('webgpu', 20);

  test('kernels of a transformer block run on the device, not on the CPU behind it', async () => {
    const [x, w] = [input('x', [1, 8, 16]), input('w', [16, 16])];
    const [s, b] = [input('s', [16]), input('b', [16])];
    const h = gelu(matmul(layerNorm(x, s, b, 1e-5), w), 'tanh');
    const q = reshape(rmsNorm(h, s, 1e-6), [1, 2, 8, 8]);
    const y = attention(q, q, q, { scale: 0.3, form: capabilitiesOf('webgpu').attention });
    const compiled = await program(['x', 'w', 's', 'b'])
      .graph('block', { y })
      .compile({ device: 'webgpu', profile: true });
    const feeds = { x: zeros([1, 8, 16]), w: zeros([16, 16]), s: zeros([16]), b: zeros([16]) };
    await compiled.run(feeds, { returns: ['y'] });
    const [block] = await compiled.profile();
    await compiled.dispose();
    expect(block!.ops.length).toBeGreaterThan(5);
    expect(block!.ops.filter((op) => op.provider !== 'WebGpuExecutionProvider')).toEqual([]);
  });

  test('weights stored in bfloat16, which the device cannot widen, are widened once and stay on it', async () => {
    const [x, w] = [input('x', [2, 256]), parameter('w', [256, 256])];
    const bytes = new Uint8Array(Uint16Array.from({ length: 256 * 256 }, (_, i) => 0x3f80 + (i % 64)).buffer);
    const compiled = await program(['x'])
      .graph('product', { y: matmul(x, w) }, { weights: () => ({ dtype: 'bfloat16', bytes }) })
      .compile({ device: 'webgpu', profile: true });
    await compiled.run({ x: zeros([2, 256]) }, { returns: ['y'] });
    const [product] = await compiled.profile();
    await compiled.dispose();
    expect(product!.ops.map(({ op, provider }) => `${op} ${provider}`)).toEqual(['MatMul WebGpuExecutionProvider']);
  });
} else {
  test('a missing WebGPU adapter is an error of the session, not a crash', () => {
    expect(failure).toBeInstanceOf(Error);
  });
}
