/**
 * Keeps the executables of the last few shapes, since compiling costs far more than a run and callers repeat shapes.
 */
import type { Executable } from './compile.ts';

type Disposable = { dispose(): Promise<void> };

export interface CompileCache<Kept extends Disposable> {
  /** The executable of `key`, built if it is not there; the least recently used beyond the limit is disposed. */
  get(key: string, build: () => Promise<Kept>): Promise<Kept>;
  dispose(): Promise<void>;
}

/** A cache of executables with results `Names`, or of whatever else is compiled for a shape. */
export function compileCache<Names extends string, Kept extends Disposable = Executable<Names>>(
  limit: number,
): CompileCache<Kept> {
  const kept = new Map<string, Promise<Kept>>();
  // One that failed to build was removed by whoever asked for it.
  const drop = async (built: Promise<Kept>): Promise<void> => (await built.catch(() => undefined))?.dispose();
  return {
    async get(key, build) {
      const built = kept.get(key) ?? build();
      kept.delete(key);
      kept.set(key, built);
      built.catch(() => kept.delete(key));
      const [oldest] = kept.keys();
      if (kept.size > limit && oldest !== undefined) {
        const old = kept.get(oldest) as Promise<Kept>;
        kept.delete(oldest);
        await drop(old);
      }
      return built;
    },
    async dispose() {
      const all = [...kept.values()];
      kept.clear();
      await Promise.all(all.map(drop));
    },
  };
}
