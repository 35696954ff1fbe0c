/**
 * Video through the `ffmpeg` program: raw frames through a pipe. The program is FFMPEG_PATH or the one in PATH;
 * `ffprobe` is taken from beside it. Does not know which formats exist.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { promisify } from 'node:util';
import { StepVideoError } from '../errors.ts';
import type { DecodedFrame, EncodeJob, VideoBackend, VideoProbe } from './backend.ts';
import { rgbFilter } from './rgb-filter.ts';

const run = promisify(execFile);

/** Opens the backend. @throws where the program is not there or does not start. */
export async function openFfmpeg(program = process.env.FFMPEG_PATH || 'ffmpeg'): Promise<VideoBackend> {
  const { stdout } = await run(program, ['-version'], { timeout: 10_000 });
  const prober = path.join(path.dirname(program), path.basename(program).replace('ffmpeg', 'ffprobe'));
  return {
    name: 'ffmpeg',
    encode: (frames, job) => encode(program, frames, job),
    decode: (file, signal) => decode({ program, prober, passthrough: passthroughFlag(stdout) }, file, signal),
    probe: (file) => probe(prober, file),
  };
}

/** One output frame per decoded frame: `-vsync` until 5.0, `-fps_mode` since 5.1 (the old name goes away later). */
function passthroughFlag(version: string): string {
  const found = /^ffmpeg version n?(\d+)\.(\d+)/.exec(version);
  const old = found ? Number(found[1]) * 100 + Number(found[2]) < 501 : /^ffmpeg version N-[1-9]\d{4}-/.test(version);
  return old ? '-vsync' : '-fps_mode';
}

const QUIET = ['-hide_banner', '-loglevel', 'error', '-nostdin'];
/** A relative name that starts with a dash or holds a colon would be read as an option or a protocol. */
const asUrl = (file: string): string => `file:${path.resolve(file)}`;
const flags = (options: Record<string, string>): string[] =>
  Object.entries(options).flatMap(([name, value]) => [`-${name}`, value]);

async function encode(program: string, frames: AsyncIterable<Uint8Array>, job: EncodeJob): Promise<void> {
  const { coding, width, height, fps, tags } = job;
  const rate = `${fps.num}/${fps.den}`;
  const child = spawn(
    program,
    [
      ...[
        ...QUIET,
        '-y',
        '-f',
        'rawvideo',
        '-pix_fmt',
        'rgb24',
        '-s',
        `${width}x${height}`,
        '-r',
        rate,
        '-i',
        'pipe:0',
      ],
      ...['-filter_complex', coding.filter, '-c:v', coding.encoder, '-b:v', '0', ...flags(coding.encoderOptions)],
      ...Object.entries(tags).flatMap(([name, value]) => ['-metadata', `${name}=${value}`]),
      ...['-f', coding.muxer, ...flags(coding.muxerOptions), asUrl(job.file)],
    ],
    { stdio: ['pipe', 'ignore', 'pipe'] },
  );
  const ended = outcome(child, program);
  child.stdin.on('error', () => {}); // the exit code and stderr tell more than EPIPE does
  try {
    for await (const rgb of frames) {
      // The source may reuse its buffer, so the next frame is asked for only when this one is in the pipe.
      const written = await new Promise<boolean>((done) => child.stdin.write(rgb, (error) => done(!error)));
      if (!written) break;
    }
    child.stdin.end();
    await ended;
  } catch (error) {
    child.kill('SIGKILL');
    await ended.catch(() => {});
    throw error;
  }
}

/** Resolves when the program ends well; else rejects with what it wrote to stderr. */
function outcome(child: ChildProcess, program: string): Promise<void> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-8000);
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0 && said.includes('No space left on device')) reject(failure(program, said));
      else if (code === 0) resolve();
      else reject(failure(program, said.trim() || `it ended with ${signal ?? `code ${code}`}`));
    });
  });
  ended.catch(() => {}); // looked at later
  return ended;
}

const failure = (program: string, said: string): StepVideoError =>
  new StepVideoError('environment', 'ffmpeg', `${program} must run to its end`, said.trim());

type Reading = { program: string; prober: string; passthrough: string };

async function* decode(reading: Reading, file: string, signal?: AbortSignal): AsyncGenerator<DecodedFrame> {
  const { width, height, pix_fmt: format = '' } = await streamOf(reading.prober, file);
  const child = spawn(
    reading.program,
    [
      ...[...QUIET, '-xerror', '-i', asUrl(file), '-map', '0:v:0', reading.passthrough, 'passthrough'],
      ...['-vf', rgbFilter(format), '-pix_fmt', 'rgb24'],
      ...['-f', 'rawvideo', 'pipe:1'],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const ended = outcome(child, reading.program);
  const size = width * height * 3;
  let frame = new Uint8Array(size);
  let filled = 0;
  let index = 0;
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
      for (let from = 0; from < chunk.length; ) {
        const take = Math.min(size - filled, chunk.length - from);
        frame.set(chunk.subarray(from, from + take), filled);
        filled += take;
        from += take;
        if (filled < size) continue;
        if (signal?.aborted)
          throw new StepVideoError(
            'aborted',
            'readFrames',
            'stopped by its signal',
            undefined,
            undefined,
            signal.reason,
          );
        yield { rgb: frame, width, height, index: index++ };
        frame = new Uint8Array(size);
        filled = 0;
      }
    }
    await ended;
  } finally {
    if (child.exitCode === null && child.signalCode === null) {
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    }
  }
}

type Probed = {
  format: { format_name: string; tags?: Record<string, string> };
  streams: (Record<string, string | undefined> & { width: number; height: number; tags?: never })[];
};

async function ask(prober: string, file: string, extra: string[]): Promise<Probed> {
  const { stdout } = await run(
    prober,
    ['-v', 'error', '-select_streams', 'v:0', '-show_format', '-show_streams', ...extra, '-of', 'json', asUrl(file)],
    { maxBuffer: 64 << 20 },
  );
  return JSON.parse(stdout) as Probed;
}

async function streamOf(prober: string, file: string): Promise<Probed['streams'][number]> {
  const stream = (await ask(prober, file, [])).streams[0];
  if (!stream) throw new StepVideoError('data', 'readFrames', 'the file must hold a video stream', file);
  return stream;
}

async function probe(prober: string, file: string): Promise<VideoProbe> {
  const { format, streams } = await ask(prober, file, ['-count_packets']);
  const stream = streams[0];
  if (!stream) throw new StepVideoError('data', 'probe', 'the file must hold a video stream', file);
  const [num = 0, den = 1] = (stream.avg_frame_rate ?? '0/1').split('/').map(Number);
  return {
    container: format.format_name,
    codec: stream.codec_name ?? 'unknown',
    width: stream.width,
    height: stream.height,
    fps: den === 0 ? 0 : num / den,
    frames: Number(stream.nb_read_packets ?? 0),
    colour: {
      matrix: stream.color_space ?? 'unknown',
      primaries: stream.color_primaries ?? 'unknown',
      transfer: stream.color_transfer ?? 'unknown',
      range: stream.color_range ?? 'unknown',
    },
    tags: format.tags ?? {},
  };
}
