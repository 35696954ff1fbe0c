/**
 * Sets of bytes as sorted, disjoint, non-touching half-open intervals. Pure arithmetic; knows no files.
 */

/** Bytes from `start` up to, not including, `end`. */
export type Interval = readonly [start: number, end: number];

export const lengthOf = (set: readonly Interval[]): number => set.reduce((sum, [start, end]) => sum + end - start, 0);

/** `set` with `added` in it. */
export function addInterval(set: readonly Interval[], added: Interval): Interval[] {
  let [start, end] = added;
  if (start >= end) return [...set];
  const before = set.filter((each) => each[1] < start);
  const after = set.filter((each) => each[0] > end);
  for (const each of set.slice(before.length, set.length - after.length)) {
    start = Math.min(start, each[0]);
    end = Math.max(end, each[1]);
  }
  return [...before, [start, end], ...after];
}

/** What of [0, size) is not in `set`. */
export function missingIntervals(set: readonly Interval[], size: number): Interval[] {
  const missing: Interval[] = [];
  let at = 0;
  for (const [start, end] of set) {
    if (start > at) missing.push([at, start]);
    at = end;
  }
  if (at < size) missing.push([at, size]);
  return missing;
}

/** The same bytes in pieces of at most `most`. */
export function splitIntervals(set: readonly Interval[], most: number): Interval[] {
  return set.flatMap(([start, end]) =>
    Array.from({ length: Math.ceil((end - start) / most) }, (_, i): Interval => {
      const from = start + i * most;
      return [from, Math.min(end, from + most)];
    }),
  );
}

/** Whether `value` is a set in this form within [0, size): what is read back from a disk may be anything. */
export function isIntervalSet(value: unknown, size: number): value is Interval[] {
  if (!Array.isArray(value)) return false;
  let last = -1;
  return value.every((each) => {
    if (!Array.isArray(each) || each.length !== 2 || !each.every(Number.isSafeInteger)) return false;
    const [start, end] = each as [number, number];
    const isNext = start > last && start < end && end <= size;
    last = end;
    return isNext;
  });
}
