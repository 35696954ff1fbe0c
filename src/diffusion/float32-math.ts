/**
 * Logarithm, sine and cosine rounded step by step as PyTorch's AVX2 build rounds them: the float32 polynomials of Cephes,
 * where the compiler has joined products and sums into fused multiply-adds. Which ones it joined was found by comparing
 * with recorded numbers (58 252 values, all equal); the last bits depend on it.
 * Holds for the arguments of Box-Muller only: log on [2^-24, 1], sine and cosine on [0, 2π].
 *
 * Coefficients: Cephes Mathematical Library, S. Moshier, logf and sinf.
 */
const round = Math.fround;
const double = new Float64Array(1);
const doubleWords = new Uint32Array(double.buffer);
const single = new Float32Array(1);
const singleBits = new Int32Array(single.buffer);

/**
 * a · b + c rounded to float32 once, for float32 arguments. The product is exact in float64; the sum is rounded to odd,
 * after which a second rounding cannot go wrong.
 */
export function fusedMultiplyAdd(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  const tail = sum - product;
  const lost = product - (sum - tail) + (c - tail);
  double[0] = sum;
  const low = doubleWords[0]!;
  if (lost === 0 || low & 1) return round(sum);
  if (lost > 0 === sum > 0) doubleWords[0] = low | 1;
  else {
    doubleWords[0] = low - 1;
    if (low === 0) doubleWords[1]!--;
  }
  return round(double[0]!);
}

const f32 = (values: readonly number[]): readonly number[] => values.map(round);
const LOG = f32([
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
  2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
]);
const [LN2_LOW, LN2_HIGH, ROOT_HALF] = f32([-2.1219444e-4, 0.693359375, Math.SQRT1_2]) as [number, number, number];
const SINE = f32([-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]) as [number, number, number];
const COSINE = f32([2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2]) as [number, number, number];
/** -π/4 in three parts, so that multiples of it are subtracted almost exactly. */
const QUARTER = f32([-0.78515625, -2.4187564849853516e-4, -3.774894977445941e-8]) as [number, number, number];
const FOUR_OVER_PI = round(4 / Math.PI);

/** Natural logarithm of a float32 in [2^-24, 1]. */
export function logFloat32(value: number): number {
  single[0] = value;
  let exponent = (singleBits[0]! >>> 23) - 126;
  singleBits[0] = (singleBits[0]! & 0x007fffff) | 0x3f000000;
  const mantissa = single[0]!;
  let x = round(mantissa - 1);
  if (mantissa < ROOT_HALF) {
    exponent -= 1;
    x = round(x + mantissa);
  }
  const square = round(x * x);
  let y = LOG[0]!;
  for (let i = 1; i < LOG.length; i++) y = fusedMultiplyAdd(y, x, LOG[i]!);
  y = fusedMultiplyAdd(round(y * x), square, round(exponent * LN2_LOW));
  y = fusedMultiplyAdd(-0.5, square, y);
  return fusedMultiplyAdd(exponent, LN2_HIGH, round(x + y));
}

/** Sine and cosine of a float32 in [0, 2π], written to `out`. */
export function sineAndCosineFloat32(angle: number, out: [sine: number, cosine: number]): void {
  const octant = (Math.trunc(round(angle * FOUR_OVER_PI)) + 1) & ~1;
  let x = angle;
  for (const part of QUARTER) x = fusedMultiplyAdd(octant, part, x);
  const square = round(x * x);

  let even = fusedMultiplyAdd(fusedMultiplyAdd(COSINE[0], square, COSINE[1]), square, COSINE[2]);
  even = round(fusedMultiplyAdd(round(even * square), square, -round(square * 0.5)) + 1);
  const odd = fusedMultiplyAdd(fusedMultiplyAdd(SINE[0], square, SINE[1]), square, SINE[2]);
  const swapped = (octant & 2) !== 0;
  const own = fusedMultiplyAdd(round(odd * square), x, x);
  const [sine, cosine] = swapped ? [even, own] : [own, even];
  out[0] = octant & 4 ? -sine : sine;
  out[1] = (octant - 2) & 4 ? cosine : -cosine;
}
