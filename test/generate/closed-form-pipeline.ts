/**
 * A pipeline in closed form: every stage is a small exact function, so that what `generate` does with the stages can
 * be computed by hand. The real networks run through the same seam in the checkpoint tests.
 */
import type { Pipeline } from '../../src/pipeline.ts';
import { PRESETS } from '../../src/presets.ts';

export type Calls = { texts: string[][]; times: number[]; chunks: number; closed: boolean };

/** `onVelocity` and `onChunk` run before each step and each chunk; what they return replaces the result. */
export type Hooks = {
  onVelocity?: (call: number) => 'nan' | undefined;
  onChunk?: (chunk: number) => 'nan' | undefined;
};

/** Text states are the texts' lengths; the velocity pulls towards sin(length); frames are the latents, stretched. */
export function closedFormPipeline(hooks: Hooks = {}): { pipeline: Pipeline<number[]>; calls: Calls } {
  const calls: Calls = { texts: [], times: [], chunks: 0, closed: false };
  const pipeline: Pipeline<number[]> = {
    directory: '/models/closed-form',
    preset: { ...PRESETS.mini, frames: 34, height: 32, width: 48, steps: 6 },
    latentChannels: 2,
    previews: { missing: 'no previews of closed forms' },
    unknownWords: (prompt) => prompt.split(' ').filter((word) => word.startsWith('qq')),
    async encodeText(texts) {
      calls.texts.push([...texts]);
      return texts.map((text) => text.length);
    },
    async velocity({ latents, batch, t, text }) {
      calls.times.push(t);
      const size = latents.length / batch;
      const isBroken = hooks.onVelocity?.(calls.times.length) === 'nan';
      return latents.map((x, i) => (isBroken ? Number.NaN : Math.sin(3 * x + text[Math.floor(i / size)]!) - 0.2 * x));
    },
    async *decode(latents, { frames, channels, height, width }) {
      const perFrame = channels * height * width;
      for (let from = 0; from < frames; from += 3) {
        const broken = hooks.onChunk?.(calls.chunks++) === 'nan';
        const count = frames === 1 ? 1 : 17;
        const plane = height * width * 256;
        const chunk = new Float32Array(count * 3 * plane);
        for (let i = 0; i < chunk.length; i++) {
          const frame = Math.floor(i / (3 * plane));
          const latent = latents[from * perFrame + ((i + 7 * frame) % (perFrame * Math.min(3, frames)))]!;
          chunk[i] = broken ? Number.NaN : latent / 3;
        }
        yield chunk;
      }
    },
    async close() {
      calls.closed = true;
    },
  };
  return { pipeline, calls };
}
