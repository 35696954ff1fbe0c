/**
 * Steps of about equal arithmetic from clips of several shapes (report §6.3): each step takes a batch of one shape, as large
 * as the aim allows, and stills fill up the cheapest steps of a window. Knows numbers; does not know batches or graphs.
 */
import { uniform } from '../diffusion/noise.ts';

/** A shape of clips: arithmetic of one batch, and how often it is drawn against the others. */
export type ClipShape = { readonly flops: number; readonly samples: number; readonly weight: number };

export type BalanceOptions = {
  readonly clips: readonly ClipShape[];
  /** A batch of stills, the unit that is added. */
  readonly still: { readonly flops: number; readonly samples: number };
  /** Stills for each clip (beta of the report). */
  readonly ratio: number;
  /** Steps that are balanced together (N of the report). */
  readonly window: number;
  readonly seed: number;
};

/** What a step runs: one batch of clips of shape `clip`, and `stills` batches of stills. */
export type BalancedStep = { readonly clip: number; readonly stills: number };

/** Stream of the noise generator for the draw of shapes. */
const SHAPE_STREAM = 21;

/** Samples of a shape in one step: as many as the aim holds, one at least (floor(F_target / F_r) of the report). */
export const coarseBatch = (aim: number, flopsOfOne: number): number => Math.max(1, Math.floor(aim / flopsOfOne));

/** The steps of a run, a pure function of the step's number. */
export function balancedSteps(options: BalanceOptions): (step: number) => BalancedStep {
  const { clips, still, ratio, window, seed } = options;
  const total = clips.reduce((sum, { weight }) => sum + weight, 0);
  let at = -1;
  let steps: BalancedStep[] = [];
  return (step) => {
    const index = Math.floor(step / window);
    if (index !== at) {
      const draws = uniform({ seed, length: window, offset: index * window, stream: SHAPE_STREAM });
      const shapes = Array.from(draws, (u) => pickByWeight(clips, u * total));
      const samples = shapes.reduce((sum, shape) => sum + clips[shape]!.samples, 0);
      steps = fill(
        shapes.map((shape) => clips[shape]!.flops),
        { units: Math.round((samples * ratio) / still.samples), flops: still.flops },
      ).map((stills, i) => ({ clip: shapes[i]!, stills }));
      at = index;
    }
    return steps[step % window]!;
  };
}

/** Each unit goes to the step that costs least so far, the earliest of equals. */
function fill(costs: readonly number[], { units, flops }: { units: number; flops: number }): number[] {
  const counts = costs.map(() => 0);
  const cost = (i: number): number => costs[i]! + counts[i]! * flops;
  for (let unit = 0; unit < units; unit++) {
    let least = 0;
    for (let i = 1; i < costs.length; i++) if (cost(i) < cost(least)) least = i;
    counts[least]! += 1;
  }
  return counts;
}

function pickByWeight(shapes: readonly ClipShape[], mark: number): number {
  let rest = mark;
  const index = shapes.findIndex(({ weight }) => {
    rest -= weight;
    return rest < 0;
  });
  return index === -1 ? shapes.length - 1 : index;
}
