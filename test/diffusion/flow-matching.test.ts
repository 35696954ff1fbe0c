/** Training pairs lie on the straight path that the sampler walks; training times have the density asked for. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawTimes, flowMatching } from '../../src/diffusion/flow-matching.ts';
import { gaussian } from '../../src/diffusion/noise.ts';

describe('flowMatching', () => {
  it('is noise at t = 0, data at t = 1, and walking the velocity from anywhere reaches the data', () => {
    fc.assert(
      fc.property(
        fc.nat(1e6),
        fc.array(fc.float({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 4 }),
        (seed, ts) => {
          const times = Float32Array.from(ts);
          const data = gaussian({ seed, length: 5 * ts.length });
          const noise = gaussian({ seed, length: 5 * ts.length, stream: 1 });
          const { noised, velocity } = flowMatching({ data, noise, times });
          noised.forEach((x, i) => {
            const t = times[Math.floor(i / 5)]!;
            expect(x + (1 - t) * velocity[i]!).toBeCloseTo(data[i]!, 5);
            expect(x - t * velocity[i]!).toBeCloseTo(noise[i]!, 5);
          });
          expect(flowMatching({ data, noise, times: times.fill(0) }).noised).toEqual(noise);
          expect(flowMatching({ data, noise, times: times.fill(1) }).noised).toEqual(data);
        },
      ),
    );
  });

  it.each([
    [4, 3, 1],
    [4, 4, 3],
    [4, 4, 0],
  ])('refuses %i data and %i noise values for %i times', (data, noise, times) => {
    const bad = { data: new Float32Array(data), noise: new Float32Array(noise), times: new Float32Array(times) };
    expect(() => flowMatching(bad)).toThrow('flowMatching: data and noise must have equal lengths');
  });
});

describe('drawTimes', () => {
  const n = 100_000;
  const quantile = (times: Float32Array, q: number): number => times.toSorted()[Math.floor(q * n)]!;
  const shifted = (t: number, s: number): number => 1 - (s * (1 - t)) / (1 + (s - 1) * (1 - t));

  it.each([1, 2, 17])('uniform, shift %d, has its quantiles where the schedule has its points', (timeShift) => {
    const times = drawTimes({ kind: 'uniform', timeShift }, { seed: 1, length: n });
    for (const q of [0.1, 0.5, 0.9]) expect(quantile(times, q)).toBeCloseTo(shifted(q, timeShift), 1.5);
    expect(times.every((t) => t >= 0 && t <= 1)).toBe(true);
  });

  it('logit-normal has the logistic of the normal quantiles', () => {
    const times = drawTimes({ kind: 'logit-normal', mean: 0.3, deviation: 0.8 }, { seed: 2, length: n });
    for (const [q, z] of [
      [0.1587, -1],
      [0.5, 0],
      [0.8413, 1],
    ] as const) {
      expect(quantile(times, q)).toBeCloseTo(1 / (1 + Math.exp(-(0.3 + 0.8 * z))), 2);
    }
  });

  it('does not depend on how a batch is cut', () => {
    const density = { kind: 'logit-normal', timeShift: 2 } as const;
    const whole = drawTimes(density, { seed: 9, length: 10 });
    const rest = drawTimes(density, { seed: 9, offset: 4, length: 6 });
    expect([...rest]).toEqual([...whole.subarray(4)]);
  });

  it('refuses a shift of 0', () => {
    expect(() => drawTimes({ kind: 'uniform', timeShift: 0 }, { seed: 0, length: 1 })).toThrow(
      'timeShift must be above 0',
    );
  });
});
