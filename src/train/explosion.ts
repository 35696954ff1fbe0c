/**
 * When a loss has exploded: it stays far above what it was, step after step. One spike is not an explosion.
 * Knows numbers alone; the trainer decides what to do about it.
 */

/** Steps that "what it was" is the median of, and the fewest that say anything. */
const [WINDOW, LEAST] = [100, 20];
/** Steps in a row above the limit that make an explosion. */
export const PATIENCE = 5;

export type Explosion = {
  /** Running median of the loss before it rose. */
  readonly median: number;
  /** What the loss had to stay below. */
  readonly limit: number;
};

export interface ExplosionWatch {
  /** Takes the loss of the next step; answers once it has exploded. */
  see(loss: number): Explosion | undefined;
  /** Whether the last loss was above the limit: not the time to replace a saved state. */
  readonly isHigh: boolean;
}

/**
 * Watches for losses above `factor` times the running median. Where losses lie around zero, as adversarial ones do, their
 * median absolute deviation stands for the median's size.
 */
export function explosionWatch(factor: number): ExplosionWatch {
  const recent: number[] = [];
  let above = 0;
  return {
    see(loss) {
      const limit = recent.length < LEAST ? undefined : limitOf(recent, factor);
      if (limit !== undefined && loss > limit.limit) {
        above += 1;
        return above < PATIENCE ? undefined : limit;
      }
      above = 0;
      // What is above the limit stays out: a slow explosion must not raise the bar for itself.
      recent.push(loss);
      if (recent.length > WINDOW) recent.shift();
      return undefined;
    },
    get isHigh() {
      return above > 0;
    },
  };
}

function limitOf(losses: readonly number[], factor: number): Explosion {
  const centre = median(losses);
  const spread = median(losses.map((loss) => Math.abs(loss - centre)));
  return { median: centre, limit: centre + (factor - 1) * Math.max(Math.abs(centre), spread) };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
