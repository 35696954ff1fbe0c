/**
 * The output formats as one table: what each is called, who writes it, and with which codec options.
 * Knows names and numbers only; does not know how a backend runs them.
 */
import path from 'node:path';
import { inputError } from '../errors.ts';

export type VideoFormat = 'mp4' | 'webm' | 'gif' | 'webp' | 'png';

/** What an encoding backend is told. Names are FFmpeg's, so both backends read the same row. */
export type Coding = {
  muxer: string;
  muxerOptions: Record<string, string>;
  encoder: string;
  encoderOptions: Record<string, string>;
  /** Filter from RGB24 to what the encoder takes. */
  filter: string;
};

type FormatRow = {
  about: string;
  /** Codec that a backend must bring; undefined where sharp, which is always installed, writes the frames. */
  coding: Coding | undefined;
  /** 4:2:0 chroma needs even sides. */
  evenSize: boolean;
  /** Delays are stored in whole ticks: more frames per second than this cannot be told apart by players. */
  maxFps: number;
};

/** swscale converts with BT.601 and leaves the result untagged unless told otherwise; both are said here. */
const BT709 =
  'scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int,format=yuv420p,' +
  'setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709';
const BT709_TAGS = { colorspace: 'bt709', color_primaries: 'bt709', color_trc: 'bt709', color_range: 'tv' };

export const VIDEO_FORMATS: Record<VideoFormat, FormatRow> = {
  mp4: {
    about: 'H.264, plays everywhere',
    coding: {
      muxer: 'mp4',
      muxerOptions: { movflags: '+faststart' },
      encoder: 'libx264',
      encoderOptions: { preset: 'medium', crf: '16', ...BT709_TAGS },
      filter: BT709,
    },
    evenSize: true,
    maxFps: 240,
  },
  webm: {
    about: 'VP9, royalty-free',
    coding: {
      muxer: 'webm',
      muxerOptions: {},
      encoder: 'libvpx-vp9',
      encoderOptions: { deadline: 'good', 'cpu-used': '4', crf: '24', 'row-mt': '1', ...BT709_TAGS },
      filter: BT709,
    },
    evenSize: true,
    maxFps: 240,
  },
  gif: {
    about: '256 colours, loops',
    coding: {
      muxer: 'gif',
      muxerOptions: { loop: '0' },
      encoder: 'gif',
      encoderOptions: {},
      // One palette for the whole clip does not flicker; the price is that the filter keeps the frames until the last.
      filter: 'split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=bayer:bayer_scale=3',
    },
    evenSize: false,
    maxFps: 50,
  },
  webp: { about: 'animated WebP, loops', coding: undefined, evenSize: false, maxFps: 240 },
  png: { about: 'lossless numbered frames', coding: undefined, evenSize: false, maxFps: 240 },
};

const NAMES = Object.keys(VIDEO_FORMATS) as VideoFormat[];
const isFormat = (name: string): name is VideoFormat => (NAMES as string[]).includes(name);

/**
 * The format that `file` is to be written in: `explicit` if given, else by extension; a path that ends in a slash
 * is a directory of png frames.
 * @throws input error that lists the formats, for an unknown one or where extension and `explicit` disagree.
 */
export function formatOf(file: string, explicit?: string): VideoFormat {
  const op = 'video format';
  const extension = path.extname(file).slice(1).toLowerCase();
  if (explicit !== undefined) {
    const name = explicit.toLowerCase();
    if (!isFormat(name)) throw inputError(op, `must be one of ${NAMES.join(', ')}`, explicit);
    if (isFormat(extension) && extension !== name)
      throw inputError(op, `must agree with the extension of ${file}`, explicit, `${extension}, or a path in .${name}`);
    return name;
  }
  if (/[\\/]$/.test(file)) return 'png';
  if (isFormat(extension)) return extension;
  const nearest = ['jpg', 'jpeg', 'tif', 'tiff', 'bmp'].includes(extension) ? 'png' : 'mp4';
  throw inputError(
    op,
    `the extension of the output path must be one of ${NAMES.join(', ')}`,
    file,
    `${file.slice(0, file.length - path.extname(file).length)}.${nearest}`,
  );
}

/** Frames per second as the fraction that containers store. 24 → 24/1; 12.5 → 25/2; 29.97 → 30000/1001. */
export function rationalFps(fps: number): { num: number; den: number } {
  for (const den of [1, 2, 3, 4, 1001])
    if (Math.abs(fps * den - Math.round(fps * den)) < (den === 1001 ? 0.5 : 1e-9)) {
      const num = den === 1001 ? Math.round(fps) * 1000 : Math.round(fps * den);
      if (Math.abs(num / den - fps) < 1e-3) return { num, den };
    }
  return { num: Math.round(fps * 1000), den: 1000 };
}

/**
 * Checks the sizes and the rate that `format` can hold.
 * @throws input error naming the nearest valid value.
 */
export function checkPicture(format: VideoFormat, picture: { width: number; height: number; fps: number }): void {
  const { evenSize, maxFps } = VIDEO_FORMATS[format];
  for (const side of ['width', 'height'] as const) {
    const value = picture[side];
    if (!Number.isInteger(value) || value < 1 || value > 16384)
      throw inputError('encodeVideo', `${side} must be a whole number from 1 to 16384`, value);
    if (evenSize && value % 2 !== 0)
      throw inputError(
        'encodeVideo',
        `${side} must be even for ${format}`,
        value,
        value === 1 ? '2' : `${value - 1} or ${value + 1}`,
      );
  }
  const { fps } = picture;
  if (!(fps >= 0.1 && fps <= maxFps))
    throw inputError('encodeVideo', `fps must be from 0.1 to ${maxFps} for ${format}`, fps);
}
