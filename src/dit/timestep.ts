/**
 * Time into the network: t in [0, 1] → sinusoid → embedded time → the modulation that all blocks share (AdaLN-single).
 * Does not know what a block does with its six vectors.
 */
import { linear } from '../nn/linear.ts';
import type { Scope } from '../nn/scope.ts';
import { silu, type Tensor } from '../tensor/index.ts';

/** Width of the sinusoid, a constant of the architecture. */
export const TIMESTEP_CHANNELS = 256;
/** The network sees t in thousandths. */
const TIMESTEP_SCALE = 1000;

const FREQUENCIES = Float32Array.from({ length: TIMESTEP_CHANNELS / 2 }, (_, i) => {
  const exponent = Math.fround(Math.fround(-Math.log(10000)) * i) / (TIMESTEP_CHANNELS / 2);
  return Math.exp(Math.fround(exponent));
});
// Here the official exponential, off by half a unit and a little, rounds up; an angle of 1000 makes 3e-5 of it.
FREQUENCIES[12] = 0.42169651389122009;

/**
 * Cosines, then sines, of 1000 t at 128 frequencies from 1 down to 1e-4: t [B] in [0, 1] -> [B, 256] flat.
 * Computed here and not in the graph: angles reach 1000, where some devices' own sine is far off. The angle is float32 on purpose,
 * since the network was trained with its rounding. `round` narrows t and 1000 t, as a release that computes in 16 bits does.
 */
export function timestepSinusoid(times: ArrayLike<number>, round: (x: number) => number = (x) => x): Float32Array {
  const half = FREQUENCIES.length;
  const out = new Float32Array(times.length * TIMESTEP_CHANNELS);
  for (let b = 0; b < times.length; b++) {
    const scaled = round(Math.fround(round(Math.fround(times[b] as number)) * TIMESTEP_SCALE));
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(scaled * (FREQUENCIES[i] as number));
      out[b * TIMESTEP_CHANNELS + i] = Math.cos(angle);
      out[b * TIMESTEP_CHANNELS + half + i] = Math.sin(angle);
    }
  }
  return out;
}

/** Shift, scale and gate of self-attention, then of the feed-forward; gates start half open so that blocks learn at once. */
const MODULATION_BIAS = [0, 0, 0.5, 0, 0, 0.5];

/** Sinusoid [B, 256] -> embedded time [B, width] and, from it, the shared modulation [B, 6 width]. */
export function adalnSingle(
  scope: Scope,
  width: number,
): (sinusoid: Tensor) => { embedded: Tensor; modulation: Tensor } {
  const embedder = scope.at('emb').at('timestep_embedder');
  const linear1 = linear(embedder.at('linear_1'), [TIMESTEP_CHANNELS, width]);
  const linear2 = linear(embedder.at('linear_2'), [width, width]);
  const project = linear(scope.at('linear'), [width, 6 * width], { biasInitial: { blocks: MODULATION_BIAS } });
  return (sinusoid) => {
    const embedded = linear2(silu(linear1(sinusoid)));
    return { embedded, modulation: project(silu(embedded)) };
  };
}
