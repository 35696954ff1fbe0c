/**
 * The noise that sampling starts from, by the name of its generator. Does not know shapes: latents are drawn flat, in the
 * order [frames, channels, rows, columns], which is also that of the official code for one video.
 */
import { gaussian } from './noise.ts';
import { torchGenerator } from './torch-noise.ts';

/**
 * `counter`: this project's own, values by position (noise.ts). `torch`: `torch.randn` on PyTorch's CPU generator in
 * float32. `torch-bf16`: the same in bfloat16, which is what the released pipeline draws when it is given a seeded CPU
 * generator. The CUDA generator is not among them: no recorded numbers of it were at hand to check against.
 */
export const RNGS = ['counter', 'torch', 'torch-bf16'] as const;
export type Rng = (typeof RNGS)[number];

/**
 * Standard normal values, float32 [length].
 * @throws input error when seed is not an integer in [0, 2^53).
 */
export function initialNoise(rng: Rng, { seed, length }: { seed: number; length: number }): Float32Array {
  switch (rng) {
    case 'counter':
      return gaussian({ seed, length });
    case 'torch':
      return torchGenerator(seed).randn(length);
    case 'torch-bf16':
      return torchGenerator(seed).randnBfloat16(length);
  }
}
