/**
 * The Video-VAE of a checkpoint, ready to run: one compiled graph for each chunk size.
 * Knows chunks, seams and the scale of latents; does not know what latents mean, nor files of frames.
 */
import { inputError } from '../errors.ts';
import { Scope } from '../nn/scope.ts';
import { compile } from '../runtime/compile.ts';
import { compileCache } from '../runtime/compile-cache.ts';
import { capabilitiesOf, type Device } from '../runtime/device.ts';
import { float32, floats } from '../runtime/value.ts';
import { planWeights } from '../runtime/weight-plan.ts';
import { input, type Shape, type Tensor } from '../tensor/index.ts';
import { checkComponent, type OpenedComponent, openComponent } from '../weights/checkpoint.ts';
import { storedWeights } from '../weights/stored-weights.ts';
import type { TensorSource } from '../weights/tensor-entry.ts';
import { chunkDecoder, type DecodeOptions } from './chunk-decoder.ts';
import { blendSeams, encodedFrames, latentChunks, pixelChunks } from './chunks.ts';
import { SPATIAL_FACTOR, type VaeConfig } from './config.ts';
import { encoder } from './encoder.ts';
import { latentScale } from './latent-scale.ts';
import { drawLatents } from './posterior.ts';

/** Size of one video's latents; `channels` is z. */
export type VaeLatentShape = {
  readonly frames: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
};
/** Size of one video in pixels. */
export type VaePixelShape = { readonly frames: number; readonly height: number; readonly width: number };

export type { DecodeOptions, DecodeRetry } from './chunk-decoder.ts';

export interface Vae {
  readonly config: VaeConfig;
  /**
   * Latents [F, z, h, w] flat, as the denoiser has them → pixels in pieces [T, 3, 16h, 16w] flat, in order, not clamped,
   * seams blended. Each piece is decoded when it is asked for, in parts where the whole does not fit into memory.
   * Throws an input error where the shape does not fit the model, or no plan fits the memory; an environment error where memory runs out for good.
   */
  decode(
    latents: Float32Array,
    shape: VaeLatentShape,
    options?: DecodeOptions,
  ): AsyncGenerator<Float32Array, void, void>;
  /**
   * Pixels [T, 3, H, W] flat in [-1, 1] → moments [F, 2z, H/16, W/16] flat: mean, then log-variance (not clamped), not scaled.
   * Throws an input error where a side is not a multiple of 16 or a chunk has a length that the encoder cannot take.
   */
  moments(pixels: Float32Array, shape: VaePixelShape): Promise<Float32Array>;
  /**
   * Pixels → latents [F, z, H/16, W/16] flat, as the denoiser has them: the mean, or a sample made of standard normal `noise`
   * of that length. Throws as `moments` does.
   */
  encode(pixels: Float32Array, shape: VaePixelShape, noise?: Float32Array): Promise<Float32Array>;
  /** Frees the compiled graphs and closes the files. */
  close(): Promise<void>;
}

type LoadOptions = { readonly device: Device; readonly threads?: number | undefined };

/** Whole chunks and the shorter last one. */
const KEPT_GRAPHS = 2;

/** Opens the VAE of checkpoint directory `dir` and checks that it holds exactly the tensors of its config; weights are read on first use. */
export async function loadVae(dir: string, options: LoadOptions): Promise<Vae> {
  const component = await openComponent(dir, 'vae');
  checkComponent(component);
  return runVae(component, options);
}

/** As `loadVae`, of a component already opened and checked. */
export function runVae(
  { config, source }: Pick<OpenedComponent<'vae'>, 'config' | 'source'>,
  options: LoadOptions,
): Vae {
  const form = capabilitiesOf(options.device).attention;
  const scale = latentScale(config);
  const decoderSource = part(source, 'decoder');
  const chunks = chunkDecoder({
    config,
    form,
    compile: async (segment, { large }) => {
      const { device, threads } = options;
      const weights = await (large ? planWeights(decoderSource, 'external') : storedWeights(decoderSource));
      // Decoded once, in all parts alike: convolutions are faster, and the same to the bit whatever the parts.
      return compile(segment, {
        device,
        threads,
        weights,
        keepStoredDtype: false,
        memoryPattern: false,
        ...(large && { memoryArena: false }),
      });
    },
  });
  const encodeChunk = chunkCoder(part(source, 'encoder'), options, (x) =>
    encoder(new Scope().at('encoder'), config, form)(x),
  );

  const moments: Vae['moments'] = async (pixels, shape) => {
    checkPixels(pixels, shape);
    const { frames, height, width } = shape;
    const parts: Float32Array[] = [];
    let from = 0;
    for (const length of pixelChunks(frames)) {
      const chunk = cut(pixels, [from, length], 3 * height * width);
      parts.push(await encodeChunk.run(chunk, [1, length, 3, height, width]));
      from += length;
    }
    return concatenate(parts);
  };
  return {
    config,
    moments,
    async *decode(latents, shape, options) {
      const { frames, channels, height, width } = shape;
      checkLatents(latents, shape, config);
      const decodeChunk = chunks.video(options);
      async function* decoded(): AsyncGenerator<Float32Array> {
        let from = 0;
        for (const length of latentChunks(frames)) {
          const chunk = scale.remove(cut(latents, [from, length], channels * height * width), height * width);
          yield decodeChunk(chunk, { frames: length, height, width });
          from += length;
        }
      }
      yield* blendSeams(decoded(), 3 * height * width * SPATIAL_FACTOR ** 2);
    },
    async encode(pixels, shape, noise) {
      const plane = (shape.height * shape.width) / SPATIAL_FACTOR ** 2;
      const latents = drawLatents(await moments(pixels, shape), config.z_channels * plane, noise);
      return scale.apply(latents, plane);
    },
    async close() {
      await Promise.all([chunks.close(), encodeChunk.close()]);
      await source.close();
    },
  };
}

/** One half of the VAE over chunks of any size, compiled for each size that comes. */
function chunkCoder(source: TensorSource, options: LoadOptions, forward: (x: Tensor) => Tensor) {
  const graphs = compileCache<'y'>(KEPT_GRAPHS);
  const build = async (shape: Shape) =>
    compile(
      { y: forward(input('x', shape)) },
      { ...options, weights: await storedWeights(source), computeDtype: 'device' },
    );
  return {
    async run(chunk: Float32Array, shape: Shape): Promise<Float32Array> {
      const graph = await graphs.get(shape.join('x'), () => build(shape));
      return floats((await graph.run({ x: float32(chunk, shape) })).y);
    },
    close: () => graphs.dispose(),
  };
}

/** The tensors of one half, so that the other's are not read. */
function part(source: TensorSource, name: 'encoder' | 'decoder'): TensorSource {
  return { ...source, tensors: new Map([...source.tensors].filter(([key]) => key.startsWith(`${name}.`))) };
}

function checkLatents(latents: Float32Array, shape: VaeLatentShape, config: VaeConfig): void {
  const { frames, channels, height, width } = shape;
  if (channels !== config.z_channels)
    throw inputError('decode', `latents must have ${config.z_channels} channels`, channels);
  if (frames < 1 || latents.length !== frames * channels * height * width)
    throw inputError(
      'decode',
      `latents must fill [${[frames, channels, height, width].join(', ')}], at least one frame`,
      latents.length,
    );
}

function checkPixels(pixels: Float32Array, { frames, height, width }: VaePixelShape): void {
  if (height % SPATIAL_FACTOR !== 0 || width % SPATIAL_FACTOR !== 0)
    throw inputError('encode', `height and width must be multiples of ${SPATIAL_FACTOR}`, [height, width]);
  const last = pixelChunks(frames).at(-1);
  if (last === undefined || encodedFrames(last) === undefined)
    throw inputError(
      'encode',
      'frames must be a multiple of 17, or leave 1-4 or 9-12 after one',
      frames,
      'a multiple of 17',
    );
  if (pixels.length !== frames * 3 * height * width)
    throw inputError('encode', `pixels must fill [${[frames, 3, height, width].join(', ')}]`, pixels.length);
}

const cut = (data: Float32Array, [from, length]: readonly [number, number], frameSize: number): Float32Array =>
  data.subarray(from * frameSize, (from + length) * frameSize);

function concatenate(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, each) => sum + each.length, 0));
  let at = 0;
  for (const each of parts) {
    whole.set(each, at);
    at += each.length;
  }
  return whole;
}
