/**
 * Work on many things, a few at a time. Knows nothing of the work.
 */

/**
 * Runs `work` on every item, at most `count` at once, in order of the items. After a failure, or once `signal` fires, no
 * further item is begun; those under way end first, then the first failure is thrown. `onFailure` hears of each failure
 * at once, so that it can end the others.
 */
export async function inParallel<T>(
  count: number,
  items: Iterable<T>,
  work: (item: T) => Promise<void>,
  { signal, onFailure }: { signal: AbortSignal; onFailure(error: unknown): void },
): Promise<void> {
  const queue = items[Symbol.iterator]();
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    while (failures.length === 0 && !signal.aborted) {
      const { done, value } = queue.next();
      if (done) return;
      await work(value).catch((error) => {
        failures.push(error);
        onFailure(error);
      });
    }
  };
  await Promise.all(Array.from({ length: count }, worker));
  if (failures.length > 0) throw failures[0];
  signal.throwIfAborted();
}
