/**
 * Scales of a chart: from a range of values to places between 0 and 1, with ticks at round numbers. Draws nothing.
 */

export type ScaleKind = 'linear' | 'log';

export type Tick = { readonly value: number; readonly label: string };

export type Axis = {
  /** 0 at the low end of the axis, 1 at the high end; values outside are held at the ends. */
  place(value: number): number;
  readonly ticks: readonly Tick[];
};

/** An axis over [low, high]; `log` asks for positive values. `pad` is the part of the length left free at each end. */
export function axis(
  [low, high]: readonly [number, number],
  { kind = 'linear', count = 4, pad = 0 }: { kind?: ScaleKind; count?: number; pad?: number } = {},
): Axis {
  const to = kind === 'log' ? (x: number): number => Math.log(Math.max(x, Number.MIN_VALUE)) : (x: number): number => x;
  const from = kind === 'log' ? Math.exp : (x: number): number => x;
  let [start, end] = [to(low), to(high)];
  if (!(end > start)) {
    // A curve that never moves lies in the middle.
    const half = kind === 'log' ? 0.5 : Math.abs(start) / 2 || 0.5;
    [start, end] = [start - half, end + half];
  }
  const margin = (end - start) * pad;
  [start, end] = [start - margin, end + margin];
  const range = [from(start), from(end)] as const;
  return {
    place: (value) => Math.min(1, Math.max(0, (to(value) - start) / (end - start))),
    ticks: kind === 'log' ? logTicks(range, count) : linearTicks(range, count),
  };
}

/** About `count` multiples of 1, 2 or 5 times a power of ten within [low, high]. */
export function linearTicks([low, high]: readonly [number, number], count: number): Tick[] {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5].find((m) => m * power >= rough * 0.75) ?? 10) * power;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const value = (first + i) * step;
    return { value, label: tickLabel(value, step) };
  });
}

function logTicks([low, high]: readonly [number, number], count: number): Tick[] {
  const decades = Math.log10(high / low);
  const within = (value: number): boolean => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9);
  const every = Math.max(1, Math.ceil(decades / (count + 1)));
  const multiples = decades > 2.5 ? [1] : [1, 2, 5];
  const ticks: Tick[] = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++)
    for (const m of multiples) {
      const value = m * 10 ** e;
      if (within(value) && e % every === 0) ticks.push({ value, label: tickLabel(value, value) });
    }
  return ticks.length >= 3 ? ticks : linearTicks([low, high], count);
}

/** `value` with the decimals that a grid of width `step` needs. */
function tickLabel(value: number, step: number): string {
  if (value === 0) return '0';
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  if (decimals > 4 || Math.abs(value) >= 1e7) {
    const power = (x: number): number => Math.floor(Math.log10(x) + 1e-9);
    const digits = Math.min(21, Math.max(1, power(Math.abs(value)) - power(step) + 1));
    return minus(Number(value.toPrecision(digits)).toExponential().replace('e+', 'e'));
  }
  return minus(value.toLocaleString('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));
}

/** A value for reading: four figures, thousands apart. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Number.isInteger(value)) return minus(value.toLocaleString('en'));
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return minus(value.toExponential(2).replace('e+', 'e'));
  return minus(value.toLocaleString('en', { maximumSignificantDigits: 4, minimumSignificantDigits: 4 }));
}

const minus = (text: string): string => text.replace(/^-/, '−');
