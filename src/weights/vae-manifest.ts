/**
 * The Video-VAE's tensors: config → names and shapes, and back, since the official layout has no config for it.
 * Knows version 2 (8x16x16, dual paths) only; knows no values.
 */
import { checkpointError } from '../errors.ts';
import type { VaeConfig } from './component-config.ts';

type Shapes = Map<string, readonly number[]>;
type Shaped = { readonly shape: readonly number[] };

/** Levels that halve or double time as well as space; a constant of the architecture. */
const temporalDown = new Set([1, 2]);
const temporalUp = new Set([2, 3]);

/** Expected tensors under module names: 262 and 498,818,819 parameters at the official size. */
export function expectedVae(config: VaeConfig): ReadonlyMap<string, readonly number[]> {
  const shapes: Shapes = new Map();
  addEncoder(shapes, config);
  addDecoder(shapes, config);
  return shapes;
}

function addEncoder(shapes: Shapes, { encoder, z_channels: z, channels }: VaeConfig): void {
  const { ch, ch_mult: mult, num_res_blocks: blocks } = encoder;
  conv3(shapes, 'encoder.conv_in.conv', ch, 3);
  let width = ch;
  mult.forEach((m, level) => {
    const down = `encoder.down.${level}`;
    for (let i = 0; i < blocks; i++) {
      resnet(shapes, `${down}.block.${i}`, width, ch * m);
      width = ch * m;
    }
    if (level === mult.length - 1) return;
    if (temporalDown.has(level)) conv3(shapes, `${down}.downsample.conv.conv`, width, width);
    else biased(shapes, `${down}.downsample.conv`, [width, width, 3, 3]);
  });
  middle(shapes, 'encoder.mid', width);
  biased(shapes, 'encoder.norm_out', [width]);
  // The unshuffle by 2 in time, height and width that follows multiplies channels by 8.
  conv3(shapes, 'encoder.conv_patchify.conv.conv', channels / 8, width);
  conv3(shapes, 'encoder.conv_out.conv', 2 * z, channels);
}

function addDecoder(shapes: Shapes, { decoder, z_channels: z, channels }: VaeConfig): void {
  const { ch, ch_mult: mult, num_res_blocks: blocks } = decoder;
  let width = ch * (mult.at(-1) as number);
  conv3(shapes, 'decoder.conv_in.conv', channels, z);
  conv3(shapes, 'decoder.conv_unpatchify.conv.conv', 8 * width, channels);
  middle(shapes, 'decoder.mid', width);
  for (let level = mult.length - 1; level >= 0; level--) {
    const up = `decoder.up.${level}`;
    const out = ch * (mult[level] as number);
    for (let i = 0; i <= blocks; i++) {
      resnet(shapes, `${up}.block.${i}`, width, out);
      width = out;
    }
    if (level === 0) continue;
    if (!temporalUp.has(level)) {
      biased(shapes, `${up}.upsample.conv`, [width, width, 3, 3]);
      continue;
    }
    for (const i of [1, 2]) {
      conv3(shapes, `${up}.upsample.conv3d.conv${i}.conv`, width, width);
      biased(shapes, `${up}.upsample.conv3d.norm${i}`, [width]);
    }
  }
  biased(shapes, 'decoder.norm_out', [width]);
  conv3(shapes, 'decoder.conv_out.conv', 3, width);
}

function biased(shapes: Shapes, name: string, shape: readonly [number, ...number[]]): void {
  shapes.set(`${name}.weight`, shape);
  shapes.set(`${name}.bias`, [shape[0]]);
}

const conv3 = (shapes: Shapes, name: string, out: number, width: number) => biased(shapes, name, [out, width, 3, 3, 3]);

function resnet(shapes: Shapes, name: string, width: number, out: number): void {
  biased(shapes, `${name}.norm1`, [width]);
  conv3(shapes, `${name}.conv1.conv`, out, width);
  biased(shapes, `${name}.norm2`, [out]);
  conv3(shapes, `${name}.conv2.conv`, out, out);
  if (width !== out) biased(shapes, `${name}.nin_shortcut.conv`, [out, width, 1, 1, 1]);
}

function middle(shapes: Shapes, name: string, width: number): void {
  resnet(shapes, `${name}.block_1`, width, width);
  biased(shapes, `${name}.attn_1.norm`, [width]);
  for (const part of ['q', 'k', 'v', 'proj_out'])
    biased(shapes, `${name}.attn_1.${part}.conv`, [width, width, 1, 1, 1]);
  resnet(shapes, `${name}.block_2`, width, width);
}

/**
 * The config behind a VAE's tensors (module or file names). Group counts leave no trace in shapes: 32, the official one, is assumed.
 * Throws a checkpoint error that names `file` if a tensor that tells a size is missing.
 */
export function inferVaeConfig(tensors: ReadonlyMap<string, Shaped>, file = 'vae'): VaeConfig {
  const weight = (name: string): readonly [number, number] => {
    const shape = tensors.get(`${name}.weight`)?.shape;
    if (shape === undefined || shape.length !== 5)
      throw checkpointError(
        `infer VAE config ${file}`,
        `${name}.weight must be there, with 5 dimensions`,
        shape ?? 'no such tensor',
        'vae_v2.safetensors of the official release (vae.safetensors is an older model)',
      );
    return [shape[0] as number, shape[1] as number];
  };
  const countBlocks = (level: string) => {
    let blocks = 0;
    while (tensors.has(`${level}.block.${blocks}.conv1.conv.weight`)) blocks++;
    return blocks;
  };
  const widths = (part: string) => [0, 1, 2, 3].map((level) => weight(`${part}.${level}.block.0.conv1.conv`)[0]);
  const [channels, z_channels] = weight('decoder.conv_in.conv');
  const down = widths('encoder.down');
  const up = widths('decoder.up');
  // The encoder's base width is its first convolution's; the decoder has none, so the largest that divides all is taken.
  const encoderBase = weight('encoder.conv_in.conv')[0];
  const decoderBase = up.reduce(greatestDivisor);
  const odd = down.find((width) => width % encoderBase !== 0);
  if (odd !== undefined)
    throw checkpointError(
      `infer VAE config ${file}`,
      `every width of the encoder must be a multiple of its first, ${encoderBase}`,
      odd,
      'a VAE of this architecture',
    );
  return {
    encoder: {
      ch: encoderBase,
      ch_mult: down.map((width) => width / encoderBase),
      num_res_blocks: countBlocks('encoder.down.0'),
    },
    decoder: {
      ch: decoderBase,
      ch_mult: up.map((width) => width / decoderBase),
      num_res_blocks: countBlocks('decoder.up.0') - 1,
    },
    z_channels,
    channels,
    num_groups: 32,
  };
}

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b));
