/**
 * The decision about one network in words. Decides nothing.
 */
import type { DecodePlan } from '../vae/decode-plan.ts';
import { TAIL_FRAMES } from '../vae/decoder-segments.ts';
import { formatMemory } from './memory-size.ts';
import { type Choice, fitsWhole, peakBytes } from './placements.ts';

/** Why a network is held as it is in `memory` bytes. */
export function reasonOf({ cost, placement, peak, decode }: Choice, memory: number): string {
  if (decode !== undefined) return decodeReason(decode, peak <= memory);
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
  if (placement.tile !== undefined) parts.push('attention over all tokens at once would not fit');
  if (placement.apart) parts.push('nor would conditional and unconditional samples side by side');
  return parts.join('; ');
}

/** `one graph`, `streamed, 3 of 50 stages held, tiles of 256 tokens`. */
export function placementText({ cost, placement, decode }: Pick<Choice, 'cost' | 'placement' | 'decode'>): string {
  if (decode !== undefined) return decodeText(decode);
  if (placement.weights === 'whole') return 'resident, one graph';
  const stages = cost.stages.length;
  const tile = `${placement.tile === undefined ? '' : `, tiles of ${placement.tile} tokens`}${placement.apart ? ', samples apart' : ''}`;
  if (placement.held === stages) return `resident, ${stages} mapped stages${tile}`;
  return `streamed, ${placement.held} of ${stages} stages resident${tile}`;
}

/** `whole chunks`, `a chunk 2 frames at a time`, `2x3 tiles, 4 frames at a time`. */
function decodeText({ whole, slab, tiles: [rows, columns] }: DecodePlan): string {
  if (whole) return 'resident, whole chunks';
  const slabs = `${TAIL_FRAMES * slab} frames at a time`;
  return rows * columns === 1 ? `resident, ${slabs}` : `resident, ${rows}x${columns} tiles, ${slabs}`;
}

function decodeReason({ whole, tiles: [rows, columns], leastBytes }: DecodePlan, fits: boolean): string {
  if (!fits) return `the least that it takes beside the process is ${formatMemory(leastBytes)}`;
  if (whole) return 'a whole chunk of 17 frames fits';
  if (rows * columns === 1) return 'a whole chunk would not fit; its frames follow one another, with the same result';
  return 'whole frames would not fit; tiles overlap and are blended, close to the whole and computed twice';
}
