/** The sampler against the recorded trajectory, exact solutions, resume, cancel and numeric failure. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EulerOptions, type EulerStep, euler, type Velocity } from '../../src/diffusion/euler.ts';
import { gaussian } from '../../src/diffusion/noise.ts';
import { schedule } from '../../src/diffusion/schedule.ts';
import type { StepVideoError } from '../../src/errors.ts';
import { scheduler } from './golden.ts';

async function run(options: EulerOptions): Promise<EulerStep[]> {
  const steps: EulerStep[] = [];
  for await (const step of euler(options)) steps.push(step);
  return steps;
}

const wave: Velocity = async (x, t) => x.map((value) => Math.sin(3 * value) + t);

describe('euler', () => {
  it('follows the recorded trajectory', async () => {
    const x0 = scheduler.get('x0')!;
    const steps = await run({ velocity: wave, latents: x0, times: schedule({ steps: 10, timeShift: 17 }) });
    expect(steps.map((s) => s.step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for (const { step, latents } of steps) {
      const expected = scheduler.get(`x${step}`)!;
      const worst = Math.max(...latents.map((v, i) => Math.abs(v - expected[i]!)));
      expect(worst, `x${step}`).toBeLessThan(2e-6);
    }
  });

  it('reaches the data in any number of steps when the velocity is constant, and guesses it from the first', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 30 }),
        fc.double({ min: 0.5, max: 20, noNaN: true }),
        fc.nat(1e6),
        async (n, shift, seed) => {
          const noise = gaussian({ seed, length: 12 });
          const data = gaussian({ seed, length: 12, stream: 1 });
          const constant: Velocity = async () => data.map((v, i) => v - noise[i]!);
          const steps = await run({
            velocity: constant,
            latents: noise,
            times: schedule({ steps: n, timeShift: shift }),
          });
          for (const { denoised } of steps) denoised.forEach((v, i) => void expect(v).toBeCloseTo(data[i]!, 4));
          steps.at(-1)!.latents.forEach((v, i) => void expect(v).toBeCloseTo(data[i]!, 4));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('resumed after any step gives the same bits', async () => {
    const times = schedule({ steps: 8, timeShift: 13 });
    const whole = await run({ velocity: wave, latents: gaussian({ seed: 5, length: 20 }), times });
    for (const { step, latents } of whole) {
      const rest = await run({ velocity: wave, latents: Float32Array.from(latents), times, fromStep: step });
      expect(rest).toEqual(whole.slice(step));
    }
  });

  it('leaves its input and everything it has yielded untouched', async () => {
    const latents = gaussian({ seed: 5, length: 6 });
    const steps = await run({ velocity: wave, latents, times: schedule({ steps: 3, timeShift: 1 }) });
    expect(latents).toEqual(gaussian({ seed: 5, length: 6 }));
    expect(new Set(steps.map((s) => s.latents.buffer)).size).toBe(3);
  });

  it('stops between steps once the signal fires', async () => {
    const abort = new AbortController();
    let calls = 0;
    const counted: Velocity = async (x, t) => {
      if (++calls === 3) abort.abort();
      return wave(x, t);
    };
    const seen: number[] = [];
    const sampling = (async () => {
      const times = schedule({ steps: 9, timeShift: 1 });
      for await (const s of euler({ velocity: counted, latents: new Float32Array(4), times, signal: abort.signal }))
        seen.push(s.step);
    })();
    await expect(sampling).rejects.toMatchObject({ kind: 'aborted', message: 'euler: stopped after step 3 of 9' });
    expect(seen).toEqual([1, 2, 3]);
    expect(calls).toBe(3);
  });

  it.each([
    ['velocity', Number.NaN],
    ['velocity', Number.POSITIVE_INFINITY],
    ['latents', 3.4e38],
  ])('stops at non-finite %s (%d) and names the step', async (what, value) => {
    const broken: Velocity = async (x, t) => (t < 0.5 ? x.map(() => 3e38) : x.map(() => value));
    const failure = run({ velocity: broken, latents: new Float32Array(3), times: Float32Array.of(0, 0.5, 2) });
    await expect(failure).rejects.toSatisfy((error: StepVideoError) => error.kind === 'numeric');
    await expect(failure).rejects.toThrow(`euler: ${what} must be finite at step 2 of 2`);
  });

  it('refuses latents that are not finite and a step that does not exist', async () => {
    const times = schedule({ steps: 2, timeShift: 1 });
    await expect(run({ velocity: wave, latents: Float32Array.of(Number.NaN), times })).rejects.toThrow(
      'at step 0 of 2',
    );
    await expect(run({ velocity: wave, latents: new Float32Array(1), times, fromStep: 3 })).rejects.toThrow(
      'from 0 to 2, got 3',
    );
  });
});
