/**
 * How a video falls into chunks, and how the seams between decoded ones are blended. Plain arithmetic on arrays.
 * Does not know networks: chunks come from and go to whoever codes them.
 */
import { CHUNK_FRAMES, CHUNK_LATENTS } from './config.ts';

const f32 = Math.fround;
const KEEP = f32(0.6);
const TAKE = f32(1 - 0.6);

/** Lengths of consecutive chunks of at most `size` that make up `total`; the last may be shorter. */
function chunkLengths(total: number, size: number): number[] {
  const whole = new Array<number>(Math.floor(total / size)).fill(size);
  return total % size === 0 ? whole : [...whole, total % size];
}

/** Chunks of latent frames: 3, and what is left. */
export const latentChunks = (frames: number): number[] => chunkLengths(frames, CHUNK_LATENTS);

/** Chunks of pixel frames: 17, and what is left, which the encoder may not take. */
export const pixelChunks = (frames: number): number[] => chunkLengths(frames, CHUNK_FRAMES);

/** Pixel frames that a chunk of 1, 2 or 3 latent frames decodes to: 1, 9 or 17. */
export const decodedFrames = (latentFrames: number): number => 8 * latentFrames - 7;

/** Latent frames of a chunk of pixel frames (1 to 17); undefined where the encoder cannot take it: after two halvings an odd number must be left. */
export function encodedFrames(frames: number): number | undefined {
  const quarter = Math.ceil(frames / 4);
  return quarter % 2 === 1 ? (quarter + 1) / 2 : undefined;
}

/**
 * Blends each seam of decoded chunks, [T, …] flat with `frameSize` values a frame: the first frame of a chunk becomes
 * 0.6 of itself and 0.4 of the frame before it, then that one 0.6 of itself and 0.4 of the already changed first.
 * Frames leave as soon as they are final: the last of a chunk waits for the next chunk. Chunks are changed in place.
 */
export async function* blendSeams(
  chunks: AsyncIterable<Float32Array> | Iterable<Float32Array>,
  frameSize: number,
): AsyncGenerator<Float32Array, void, void> {
  let held: Float32Array | undefined;
  for await (const chunk of chunks) {
    const ready = new Float32Array((held?.length ?? 0) + chunk.length - frameSize);
    if (held) {
      const back = chunk.subarray(0, frameSize);
      mixInto(back, held);
      mixInto(held, back);
      ready.set(held);
    }
    ready.set(chunk.subarray(0, chunk.length - frameSize), held?.length ?? 0);
    held = chunk.slice(chunk.length - frameSize);
    if (ready.length > 0) yield ready;
  }
  if (held) yield held;
}

/** `frame` = 0.6 · frame + 0.4 · other, in place, each operation rounded to float32. */
function mixInto(frame: Float32Array, other: Float32Array): void {
  for (let i = 0; i < frame.length; i++) frame[i] = f32(frame[i]! * KEEP) + f32(other[i]! * TAKE);
}
