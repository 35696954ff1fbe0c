/**
 * How much memory a network takes under each way of holding its weights, and the best way that fits. Knows costs and bytes; does
 * not know networks.
 */
import { freesMemory } from '../runtime/freed-memory.ts';
import type { Placement } from '../runtime/stages.ts';
import type { DecodePlan } from '../vae/decode-plan.ts';
import type { NetworkCost } from './network-cost.ts';

/** What Node, the runtime and their heaps hold when no network does. */
export const BASE_BYTES = 0.15e9;
/**
 * What stages take over the bytes that they are counted at: 48 held stages of the 30B in int4 peaked 2 % above them. An allocator
 * that does not give back keeps some more of what is freed between two stages.
 */
export const stagesKeep = (): number => (freesMemory() ? 1.02 : 1.05);

/** Larger weights are not worth their copies in one graph: mapped stages are as fast. */
const LARGEST_WHOLE = 5e8;
/** One model holds no more. */
const LARGEST_MODEL = 2 ** 31 - 2 ** 20;
/** While a whole graph is opened its weights exist as bytes read, as the model written, as the runtime reads it, and as its own. */
const COPIES_OF_WHOLE = 4;
/** The arena of a whole graph grows in powers of two and keeps what it has. */
const ARENA = 2;

/** Peak bytes of the process while this network runs. */
export function peakBytes({ stages, weights }: NetworkCost, placement: Placement): number {
  if (placement.weights === 'whole')
    return BASE_BYTES + COPIES_OF_WHOLE * weights + ARENA * Math.max(...stages.map(({ work }) => work));
  const held = stages.slice(0, placement.held).reduce((sum, stage) => sum + stage.open, 0);
  const worst = stages.map(({ open, work }, i) => (i < placement.held ? 0 : open) + work);
  return BASE_BYTES + stagesKeep() * (held + Math.max(...worst));
}

/** Whether one graph may hold all of its weights. */
export const fitsWhole = ({ weights }: NetworkCost): boolean => weights <= LARGEST_WHOLE;

/** Everything stays, as devices with memory of their own want it: in one graph, or where none holds it in stages that stay open. */
export function residentPlacement(cost: NetworkCost): Choice {
  const placement: Placement =
    cost.weights <= LARGEST_MODEL ? { weights: 'whole' } : { weights: 'stages', held: cost.stages.length };
  return { placement, cost, peak: peakBytes(cost, placement) };
}

export type Choice = {
  readonly placement: Placement;
  readonly cost: NetworkCost;
  readonly peak: number;
  /** How the VAE's decoder works through a chunk. */
  readonly decode?: DecodePlan | undefined;
};

/**
 * The fastest way to hold a network in `memory`: in one graph, else by stages with as many held as fit (where it runs more than
 * once), else with its tokens in tiles, the largest that fit. The one that takes least where none fits. `costOf` gives the
 * cost for a tile; `tiles` are the ones to try, largest first.
 */
export function choosePlacement(
  costOf: (tile: number | undefined) => NetworkCost,
  memory: number,
  tiles: readonly number[] = [],
): Choice {
  const cost = costOf(undefined);
  const whole: Placement = { weights: 'whole' };
  if (fitsWhole(cost) && peakBytes(cost, whole) <= memory)
    return { placement: whole, cost, peak: peakBytes(cost, whole) };
  let least: Choice | undefined;
  for (const tile of [undefined, ...tiles]) {
    const cost = costOf(tile);
    const staged = (held: number): Placement => ({ weights: 'stages', held, ...(tile !== undefined && { tile }) });
    const fewest = { placement: staged(0), cost, peak: peakBytes(cost, staged(0)) };
    if (fewest.peak <= memory) {
      let held = 0;
      const most = cost.runs > 1 ? cost.stages.length : 0;
      while (held < most && peakBytes(cost, staged(held + 1)) <= memory) held++;
      return { placement: staged(held), cost, peak: peakBytes(cost, staged(held)) };
    }
    if (least === undefined || fewest.peak < least.peak) least = fewest;
  }
  return least as Choice;
}
