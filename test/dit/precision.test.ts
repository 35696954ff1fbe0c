/** The denoiser with its matrix products in float16 and weights stored in bfloat16, on the CPU: near float32, not equal to it. */
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { gaussian } from '../../src/diffusion/noise.ts';
import { ditVelocity } from '../../src/dit/model.ts';
import { TIMESTEP_CHANNELS, timestepSinusoid } from '../../src/dit/timestep.ts';
import { Scope } from '../../src/nn/scope.ts';
import { compile } from '../../src/runtime/compile.ts';
import { float32, floats } from '../../src/runtime/value.ts';
import { input } from '../../src/tensor/index.ts';
import { openComponent } from '../../src/weights/checkpoint.ts';
import { storedWeights } from '../../src/weights/stored-weights.ts';

const checkpoint = fileURLToPath(new URL('../golden/parity/checkpoint', import.meta.url));

it('gives the same velocity to the rounding of float16', { timeout: 60_000 }, async () => {
  const { config, source } = await openComponent(checkpoint, 'transformer');
  const [llm, clip] = config.caption_channels as [number, number];
  const shapes = {
    latents: [1, 3, config.in_channels, 2, 2],
    timestep: [1, TIMESTEP_CHANNELS],
    llm: [1, 5, llm],
    clip: [1, 7, clip],
    textBias: [1, 12],
  };
  const feeds = Object.fromEntries(
    Object.entries(shapes).map(([name, shape], seed) => [
      name,
      float32(gaussian({ seed, length: shape.reduce((a, b) => a * b, 1) }), shape),
    ]),
  );
  feeds.timestep = float32(timestepSinusoid([0.3]), shapes.timestep);
  feeds.textBias = float32(new Float32Array(12).fill(-1e9, 10), shapes.textBias);
  const run = async (computeDtype: 'float32' | 'float16') => {
    const inputs = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, input(name, shape)]));
    const velocity = ditVelocity(new Scope(), config, 'fused')(inputs as never);
    const weights = await storedWeights(source);
    const executable = await compile({ velocity }, { device: 'cpu', threads: 1, weights, computeDtype });
    const result = floats((await executable.run(feeds)).velocity);
    await executable.dispose();
    return result;
  };
  const [exact, half] = [await run('float32'), await run('float16')];
  await source.close();
  const largest = exact.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  const apart = exact.reduce((most, v, i) => Math.max(most, Math.abs(v - half[i]!)), 0) / largest;
  expect(apart).toBeGreaterThan(1e-5);
  expect(apart).toBeLessThan(1e-2);
});
