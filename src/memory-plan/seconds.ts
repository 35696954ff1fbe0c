/**
 * Estimated seconds of a plan on a machine whose rates are known. Says nothing about memory.
 */

import type { Rates } from './calibrate.ts';
import type { NetworkPlan } from './plan.ts';

/** What one stage takes to open and close. */
const OPENING_SECONDS = 0.05;

/**
 * Seconds of all runs of a network. Computing is arithmetic and decoding; streamed weights are read meanwhile, so a run takes the
 * longer of the two. Held weights are read once.
 */
export function secondsOf({ cost, placement, decode }: NetworkPlan, rates: Rates): number {
  const sum = (of: (stage: (typeof cost.stages)[number]) => number): number =>
    cost.stages.reduce((total, stage) => total + of(stage), 0);
  const computing = sum(({ flops, decoded }) => flops / rates.flops + decoded / rates.decoding);
  // Tiles go through the decoder's tail twice, and the tail is nearly all of it.
  const passes = decode !== undefined && decode.tiles[0] * decode.tiles[1] > 1 ? 2 : 1;
  if (placement.weights === 'whole') return cost.weights / rates.reading + passes * cost.runs * computing;
  const heldBytes = cost.stages.slice(0, placement.held).reduce((total, { weights }) => total + weights, 0);
  const streamed = cost.stages.length - placement.held;
  const reading = (cost.weights - heldBytes) / rates.reading;
  return heldBytes / rates.reading + cost.runs * (Math.max(computing, reading) + streamed * OPENING_SECONDS);
}
