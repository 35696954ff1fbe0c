/**
 * Timing on a machine that other work shares: each contender runs right after the yardstick, round after round
 * (A B A C, A B A C …), and is judged by the yardstick runs beside its own. Does not know what it times.
 */

/** Something to time. `flops`: arithmetic of one run, where it is known. */
export type Contender = { readonly name: string; readonly flops?: number; run(): Promise<unknown> };

export type Timing = {
  readonly name: string;
  /** Of all rounds. */
  readonly medianSeconds: number;
  readonly fastestSeconds: number;
  /** At the median; undefined where the arithmetic is not known. */
  readonly gflops: number | undefined;
  /** Of the yardstick, in the runs beside this contender's. */
  readonly yardstickGflops: number;
  /** Median over the rounds of the contender's rate over the yardstick's. */
  readonly share: number | undefined;
};

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** Runs every contender once to warm up, then `rounds` times between runs of the yardstick. */
export async function interleave(
  contenders: readonly Contender[],
  { yardstick, rounds }: { yardstick: Required<Contender>; rounds: number },
): Promise<Timing[]> {
  for (const { run } of [yardstick, ...contenders]) await run();
  const pairs = contenders.map(() => ({ own: [] as number[], beside: [] as number[] }));
  for (let round = 0; round < rounds; round++)
    for (const [i, contender] of contenders.entries()) {
      pairs[i]!.beside.push(await secondsOf(yardstick));
      pairs[i]!.own.push(await secondsOf(contender));
    }
  return contenders.map(({ name, flops }, i) => {
    const { own, beside } = pairs[i]!;
    const rate = (seconds: number): number => (flops ?? 0) / seconds / 1e9;
    const yardstickRate = (seconds: number): number => yardstick.flops / seconds / 1e9;
    return {
      name,
      medianSeconds: median(own),
      fastestSeconds: Math.min(...own),
      gflops: flops === undefined ? undefined : rate(median(own)),
      yardstickGflops: yardstickRate(median(beside)),
      share: flops === undefined ? undefined : median(own.map((s, r) => rate(s) / yardstickRate(beside[r]!))),
    };
  });
}

async function secondsOf({ run }: Contender): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}
