/**
 * The decision about one network in words. Decides nothing.
 */
import { formatMemory } from './memory-size.ts';
import { type Choice, fitsWhole, peakBytes } from './placements.ts';

/** Why a network is held as it is in `memory` bytes. */
export function reasonOf({ cost, placement, peak }: Choice, memory: number): string {
  const weights = formatMemory(cost.weights);
  if (placement.weights === 'whole')
    return peak <= memory ? `its ${weights} of weights fit` : `its ${weights} of weights are opened together`;
  const parts = [
    fitsWhole(cost)
      ? `one graph would take ${formatMemory(peakBytes(cost, { weights: 'whole' }))}`
      : `${weights} of weights are too many for one graph, which copies them`,
  ];
  const stages = cost.stages.length;
  if (placement.held === stages) parts.push('all stages fit mapped');
  else if (placement.held > 0) parts.push(`${placement.held} of ${stages} stages fit besides the one that runs`);
  else parts.push(cost.runs === 1 ? 'each stage runs once' : 'no stage fits besides the one that runs');
  if (placement.tile !== undefined) parts.push(`attention over all tokens at once would not fit`);
  return parts.join('; ');
}

/** `one graph`, `streamed, 3 of 50 stages held, tiles of 256 tokens`. */
export function placementText({ cost, placement }: Pick<Choice, 'cost' | 'placement'>): string {
  if (placement.weights === 'whole') return 'resident, one graph';
  const stages = cost.stages.length;
  const tile = placement.tile === undefined ? '' : `, tiles of ${placement.tile} tokens`;
  if (placement.held === stages) return `resident, ${stages} mapped stages${tile}`;
  return `streamed, ${placement.held} of ${stages} stages resident${tile}`;
}
