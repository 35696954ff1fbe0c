/** The schedule against the recorded official one, and its invariants. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { schedule, shiftSigma } from '../../src/diffusion/schedule.ts';
import { scheduler } from './golden.ts';

const recorded = [...scheduler.keys()].filter((name) => name.startsWith('sigmas_'));

describe('schedule', () => {
  it.each(recorded)('%s is equal to the bit', (name) => {
    const [steps, timeShift] = name.split('_').slice(1).map(Number);
    const times = schedule({ steps: steps!, timeShift: timeShift! });
    expect([...times]).toEqual([...scheduler.get(name)!]);
    expect([...times.subarray(0, -1)]).toEqual([...scheduler.get(name.replace('sigmas', 'timesteps'))!]);
  });

  it('was recorded for seven pairs of steps and shift', () => expect(recorded).toHaveLength(7));

  it('runs from 0 to 1 without going back', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 300 }),
        fc.oneof(fc.integer({ min: 1, max: 40 }), fc.double({ min: 0.25, max: 40, noNaN: true })),
        (steps, timeShift) => {
          const times = schedule({ steps, timeShift });
          expect(times).toHaveLength(steps + 1);
          expect(times[0]).toBe(0);
          expect(times[steps]).toBe(1);
          for (let i = 0; i < steps; i++) expect(times[i + 1]).toBeGreaterThan(times[i]!);
        },
      ),
    );
  });

  it('without a shift is linear', () => {
    expect([...schedule({ steps: 4, timeShift: 1 })]).toEqual([0, 0.25, 0.5, 0.75, 1]);
  });

  it.each([
    { steps: 0, timeShift: 1 },
    { steps: 1.5, timeShift: 1 },
    { steps: Number.NaN, timeShift: 1 },
    { steps: 4, timeShift: 0 },
    { steps: 4, timeShift: Number.NaN },
    { steps: 4, timeShift: Number.POSITIVE_INFINITY },
  ])('refuses %j', (bad) => {
    expect(() => schedule(bad)).toThrow(/^schedule: (steps|timeShift) must be/);
  });
});

it('shiftSigma keeps 0 and 1 and grows with the shift', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.01, max: 0.99, noNaN: true }),
      fc.double({ min: 1.1, max: 30, noNaN: true }),
      (x, s) => {
        const sigma = Math.fround(x);
        expect(shiftSigma(0, s)).toBe(0);
        expect(Math.abs(shiftSigma(1, s) - 1)).toBeLessThanOrEqual(2 ** -22);
        expect(shiftSigma(sigma, s)).toBeGreaterThan(sigma);
        expect(shiftSigma(sigma, 1)).toBe(sigma);
      },
    ),
  );
});
