/**
 * Video through node-av: FFmpeg's libraries inside this process. Imported only when a video is written or read,
 * since the package is optional. Does not know which formats exist.
 *
 * Filter and codec are the package's high-level ones; the container is written through its low-level calls, because the
 * high-level muxer drops the errors of the trailer, which is where a full disk shows.
 */
import { Decoder, Demuxer, Encoder, FilterAPI } from 'node-av/api';
import {
  AV_CODEC_FLAG_GLOBAL_HEADER,
  AV_LOG_ERROR,
  AV_PIX_FMT_RGB24,
  AVFMT_GLOBALHEADER,
  AVIO_FLAG_WRITE,
} from 'node-av/constants';
import {
  avGetPixFmtName,
  Codec,
  Dictionary,
  FFmpegError,
  FormatContext,
  Frame,
  IOContext,
  Log,
  type Packet,
  Rational,
} from 'node-av/lib';
import { inputError, StepVideoError } from '../errors.ts';
import type { DecodedFrame, EncodeJob, VideoBackend, VideoProbe } from './backend.ts';
import { rgbFilter } from './rgb-filter.ts';

// The package uses Promise.withResolvers, which Node 20 lacks; without it decoding silently yields no frame.
const promises = Promise as unknown as { withResolvers?: unknown };
promises.withResolvers ??= function withResolvers<T>() {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
};

export function openNodeAv(): VideoBackend {
  Log.setLevel(AV_LOG_ERROR);
  return { name: 'node-av', encode, decode, probe };
}

async function encode(frames: AsyncIterable<Uint8Array>, job: EncodeJob): Promise<void> {
  const { coding, width, height, fps } = job;
  const codec = Codec.findEncoderByName(coding.encoder as Parameters<typeof Codec.findEncoderByName>[0]);
  if (!codec) throw new StepVideoError('environment', 'node-av', `this build must contain ${coding.encoder}`);
  await using container = await openContainer(job);
  using filter = FilterAPI.create(coding.filter, { framerate: new Rational(fps.num, fps.den) });
  using encoder = await Encoder.create(codec, {
    filter,
    // FFmpeg's default of 200 kb/s would fight the constant quality that the options ask for.
    context: { threadCount: 0, bitRate: 0n, framerate: new Rational(fps.num, fps.den) },
    options: coding.encoderOptions as never,
  });
  if (container.wantsGlobalHeader) encoder.setCodecFlags(AV_CODEC_FLAG_GLOBAL_HEADER);

  let index = 0n;
  async function* avFrames(): AsyncGenerator<Frame | null> {
    for await (const rgb of frames)
      yield Frame.fromVideoBuffer(Buffer.from(rgb.buffer, rgb.byteOffset, rgb.byteLength), {
        width,
        height,
        format: AV_PIX_FMT_RGB24,
        pts: index++,
        timeBase: { num: fps.den, den: fps.num },
      });
    yield null; // end of stream: without it nothing is flushed
  }
  for await (const packet of encoder.packets(filter.frames(avFrames()))) {
    if (!packet) continue;
    try {
      await container.write(packet, encoder);
    } finally {
      packet.free();
    }
  }
  await container.finish();
}

type Container = AsyncDisposable & {
  wantsGlobalHeader: boolean;
  write(packet: Packet, encoder: Encoder): Promise<void>;
  finish(): Promise<void>;
};

/** The file being written; every return code is looked at, those of trailer, flush and close included. */
async function openContainer(job: EncodeJob): Promise<Container> {
  const { file, coding, fps } = job;
  const format = new FormatContext();
  check(format.allocOutputContext2(null, coding.muxer, file), 'open the container');
  const io = new IOContext();
  let isOpen = false;
  try {
    check(await io.open2(file, AVIO_FLAG_WRITE), `open ${file}`);
    isOpen = true;
  } catch (error) {
    format.freeContext();
    throw error;
  }
  format.pb = io;
  format.metadata = Dictionary.fromObject(job.tags);
  const stream = format.newStream();
  stream.timeBase = new Rational(fps.den, fps.num);
  stream.avgFrameRate = new Rational(fps.num, fps.den);
  let started = false;
  const close = async (): Promise<number> => {
    if (!isOpen) return 0;
    isOpen = false;
    format.pb = null;
    const code = await io.closep();
    format.freeContext();
    return code;
  };
  return {
    wantsGlobalHeader: ((format.oformat?.flags ?? 0) & AVFMT_GLOBALHEADER) !== 0,
    async write(packet, encoder) {
      const context = encoder.getCodecContext();
      if (!context) throw new StepVideoError('internal', 'node-av', 'an encoder that gave a packet must be open');
      if (!started) {
        check(stream.codecpar.fromContext(context), 'describe the stream');
        using options = Dictionary.fromObject(coding.muxerOptions);
        check(await format.writeHeader(options), 'write the header');
        started = true;
      }
      packet.streamIndex = stream.index;
      packet.rescaleTs(context.timeBase, stream.timeBase);
      if (packet.duration <= 0n) packet.duration = rescaleOne(context.timeBase, stream.timeBase);
      check(await format.interleavedWriteFrame(packet), 'write a frame');
    },
    async finish() {
      if (!started) throw inputError('encodeVideo', 'there must be at least one frame', 0);
      check(await format.writeTrailer(), 'finish the file');
      await io.flush();
      check(io.error, 'flush the file');
      check(await close(), 'close the file');
    },
    async [Symbol.asyncDispose]() {
      await close();
    },
  };
}

/** One tick of `from` in ticks of `to`. */
const rescaleOne = (from: { num: number; den: number }, to: { num: number; den: number }): bigint =>
  BigInt(Math.max(1, Math.round((from.num * to.den) / (from.den * to.num))));

function check(code: number, what: string): void {
  FFmpegError.throwIfError(code, `node-av could not ${what}`);
}

async function* decode(file: string, signal?: AbortSignal): AsyncGenerator<DecodedFrame> {
  await using input = await Demuxer.open(file);
  const stream = input.video();
  if (!stream) throw new StepVideoError('data', 'readFrames', 'the file must hold a video stream', file);
  using decoder = await Decoder.create(stream, { context: { threadCount: 0 } });
  const format = avGetPixFmtName(stream.codecpar.format as Parameters<typeof avGetPixFmtName>[0]) ?? '';
  using filter = FilterAPI.create(`${rgbFilter(format)},format=rgb24`);
  let index = 0;
  for await (const frame of filter.frames(decoder.frames(input.packets(stream.index)))) {
    if (!frame) break;
    const { width, height } = frame;
    const bytes = frame.toBuffer();
    const rgb = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    frame.free();
    if (signal?.aborted)
      throw new StepVideoError('aborted', 'readFrames', 'stopped by its signal', undefined, undefined, signal.reason);
    yield { rgb, width, height, index: index++ };
  }
}

async function probe(file: string): Promise<VideoProbe> {
  await using input = await Demuxer.open(file);
  const stream = input.video();
  if (!stream) throw new StepVideoError('data', 'probe', 'the file must hold a video stream', file);
  const { codecpar, avgFrameRate } = stream;
  let frames = 0;
  for await (const packet of input.packets(stream.index)) {
    if (!packet) break;
    frames += 1;
    packet.free();
  }
  return {
    container: input.formatName,
    codec: Codec.findDecoder(codecpar.codecId)?.name ?? String(codecpar.codecId),
    width: codecpar.width,
    height: codecpar.height,
    fps: avgFrameRate.den === 0 ? 0 : avgFrameRate.num / avgFrameRate.den,
    frames,
    colour: {
      matrix: colourName(codecpar.colorSpace),
      primaries: colourName(codecpar.colorPrimaries),
      transfer: colourName(codecpar.colorTrc),
      range: ['unknown', 'tv', 'pc'][codecpar.colorRange] ?? 'unknown',
    },
    tags: input.metadata,
  };
}

/** Code points of ITU-T H.273 that video files use in practice; 1, 2 and 6 mean the same in all three tables. */
const colourName = (code: number): string =>
  ({ 0: 'gbr', 1: 'bt709', 2: 'unknown', 5: 'bt470bg', 6: 'smpte170m', 9: 'bt2020', 13: 'iec61966-2-1' })[code] ??
  `code ${code}`;
