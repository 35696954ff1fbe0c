/** Decoding in parts on the shipped VAE: slabs of frames to the bit, tiles nearly, and what happens where memory runs out. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gaussian } from '../../src/diffusion/noise.ts';
import { compile } from '../../src/runtime/compile.ts';
import { type ChunkDecoderParts, chunkDecoder, type DecodeOptions } from '../../src/vae/chunk-decoder.ts';
import { decodePlan } from '../../src/vae/decode-plan.ts';
import { loadVae, type Vae } from '../../src/vae/load.ts';
import { openComponent } from '../../src/weights/checkpoint.ts';
import { storedWeights } from '../../src/weights/stored-weights.ts';

const MODEL = new URL('../../models/mini', import.meta.url).pathname;
const ROOM = 2 ** 40;

let vae: Vae;
let size: { frames: number; channels: number; height: number; width: number };
let latents: Float32Array;
let parts: ChunkDecoderParts;
let closeWeights: () => Promise<void>;
beforeAll(async () => {
  vae = await loadVae(MODEL, { device: 'cpu', threads: 1 });
  size = { frames: 6, channels: vae.config.z_channels, height: 4, width: 6 };
  latents = gaussian({ seed: 3, length: 6 * size.channels * 24 });
  const { config, source } = await openComponent(MODEL, 'vae');
  closeWeights = () => source.close();
  const weights = await storedWeights(source);
  parts = { config, form: 'fused', compile: (segment) => compile(segment, { device: 'cpu', threads: 1, weights }) };
});
afterAll(async () => {
  await vae.close();
  await closeWeights();
});

async function video(options: DecodeOptions): Promise<Float32Array> {
  const frames: number[] = [];
  for await (const piece of vae.decode(latents, size, options)) for (const value of piece) frames.push(value);
  return Float32Array.from(frames);
}

describe('in parts', () => {
  it('a few frames at a time gives the whole chunk, to the bit', async () => {
    const whole = await video({ memory: ROOM });
    expect(whole).toHaveLength(34 * 3 * 64 * 96);
    const slabs = wholeFrames();
    expect(slabs.length).toBeGreaterThan(0);
    for (const memory of slabs) expect(await video({ memory })).toEqual(whole);
  });

  it('a tile that covers the frame is the whole frame, to the bit', async () => {
    expect(await video({ tile: 96 })).toEqual(await video({}));
  });

  it('refuses a tile without room for overlaps, and a memory that no plan meets, with the least that would do', async () => {
    await expect(video({ tile: 48 })).rejects.toThrow(
      /^decode: tile must leave room for its overlaps, got 48 \(try \d+ or more\)$/,
    );
    const { leastBytes } = decodePlan(vae.config, size, ROOM);
    const least = Math.ceil(leastBytes / 2 ** 20);
    await expect(video({ memory: 1e6 })).rejects.toThrow(
      `decode: memory must be at least ${least} MiB for frames of 64x96, got 1 MiB (try`,
    );
    expect(decodePlan(vae.config, size, leastBytes).peakBytes).toBe(leastBytes);
  });
});

/** Memories that plans in parts, but of whole frames, need exactly: first and last of them. */
function wholeFrames(): number[] {
  const found: number[] = [];
  let plan = decodePlan(vae.config, size, ROOM);
  while (plan.peakBytes > plan.leastBytes) {
    plan = decodePlan(vae.config, size, plan.peakBytes - 1);
    if (plan.tiles[0] * plan.tiles[1] === 1) found.push(plan.peakBytes);
  }
  return [...new Set([found[0], found.at(-1)])].filter((memory) => memory !== undefined);
}

describe('where memory runs out', () => {
  const ERROR =
    'Non-zero status code returned while running Conv node. Failed to allocate memory for requested buffer of size 1';
  let chunk: Float32Array;
  const chunkSize = { frames: 3, height: 4, width: 6 };
  beforeAll(() => {
    chunk = latents.subarray(0, latents.length / 2);
  });

  /** A decoder whose graphs with outputs of more than `most` numbers cannot be run. */
  const failing = (most: number, message = ERROR) =>
    chunkDecoder({
      ...parts,
      compile: async (segment, options) => {
        const real = await parts.compile(segment, options);
        const numbers = Object.values(segment).reduce(
          (n, { shape }) =>
            Math.max(
              n,
              shape.reduce((a, b) => a * b, 1),
            ),
          0,
        );
        return numbers <= most ? real : { ...real, run: () => Promise.reject(new Error(message)) };
      },
    });

  it('goes on with the same chunk in smaller parts, says so, and does not try the large ones again', async () => {
    const whole = await chunkDecoder(parts).video()(chunk, chunkSize);
    const retries: unknown[] = [];
    const decoder = failing(whole.length - 1);
    const decode = decoder.video({ memory: ROOM, onRetry: (retry) => retries.push(retry) });
    expect(await decode(chunk, chunkSize)).toEqual(whole);
    expect(retries).toEqual([{ reason: ERROR, tile: [64, 96], frames: expect.any(Number) }]);
    expect(await decode(chunk, chunkSize)).toEqual(whole);
    expect(retries).toHaveLength(1);
    await decoder.close();
  });

  it('gives up, with the memory that would do, once the least plan fails', async () => {
    const retries: unknown[] = [];
    const decode = failing(0, 'std::bad_alloc').video({ memory: ROOM, onRetry: (retry) => retries.push(retry) });
    await expect(decode(chunk, chunkSize)).rejects.toMatchObject({
      kind: 'environment',
      message: expect.stringMatching(/^decode: frames of 64x96 need about \d+ MiB of free memory, got std::bad_alloc/),
    });
    expect(retries.length).toBeGreaterThan(0);
  });

  it('leaves other failures alone', async () => {
    await expect(failing(0, 'no such kernel').video()(chunk, chunkSize)).rejects.toThrow(/^no such kernel$/);
  });
});
