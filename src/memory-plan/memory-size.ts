/**
 * Amounts of memory as people write them, and what this process may take. Knows no plan.
 */
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  KI: 2 ** 10,
  MI: 2 ** 20,
  GI: 2 ** 30,
  TI: 2 ** 40,
};

/** `8GB` → 8e9, `24GiB` → 24 · 2^30, `500M` → 5e8, `1e9` → 1e9; undefined where it is no amount above zero. */
export function parseMemory(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?(?:e\d+)?)\s*([KMGT]?I?)B?$/i.exec(text.trim());
  const unit = match === null ? undefined : UNITS[match[2]!.toUpperCase()];
  const bytes = unit === undefined ? Number.NaN : Math.floor(Number(match![1]) * unit);
  return bytes > 0 && Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** `1.20 GB`, `35 MB`: three digits are as many as an estimate has. */
export function formatMemory(bytes: number): string {
  for (const [unit, size] of [
    ['TB', 1e12],
    ['GB', 1e9],
  ] as const)
    if (bytes >= size) return `${(bytes / size).toPrecision(3)} ${unit}`;
  return `${Math.ceil(bytes / 1e6)} MB`;
}

/** An amount that `parseMemory` reads and that is not below `bytes`. */
export const roundedUp = (bytes: number): string => `${Math.ceil(bytes / 1e8) / 10}GB`;

/** A system that is filled to the brim swaps or kills. */
const SHARE = 0.9;

/** What this process may hold in all: what is free on the machine or in its container, and what it holds already. */
export const availableMemory = (): number =>
  Math.floor((process.availableMemory() + process.memoryUsage.rss()) * SHARE);
