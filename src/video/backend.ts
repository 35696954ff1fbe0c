/**
 * The one interface behind which video codecs live, and the choice between its two implementations.
 * Does not know formats, temporary files or metadata containers.
 */
import { inputError, StepVideoError } from '../errors.ts';
import type { Coding } from './format.ts';

/** In order of preference. */
export const BACKEND_NAMES = ['node-av', 'ffmpeg'] as const;
export type BackendName = (typeof BACKEND_NAMES)[number];

/** One encoding: `frames` (RGB8, [height, width, 3]) go to `file`, which is created or overwritten. */
export type EncodeJob = {
  file: string;
  coding: Coding;
  width: number;
  height: number;
  fps: { num: number; den: number };
  /** Container tags, e.g. `comment`. */
  tags: Record<string, string>;
  signal?: AbortSignal;
};

export type VideoProbe = {
  container: string;
  codec: string;
  width: number;
  height: number;
  /** As the container tells it; GIF keeps delays in 1/100 s and WebP in 1/1000 s, so theirs is near, not exact. */
  fps: number;
  /** Counted, not taken from a header. */
  frames: number;
  colour: { matrix: string; primaries: string; transfer: string; range: string };
  tags: Record<string, string>;
};

/** A decoded frame: `rgb` is [height, width, 3], 8 bits, full range, owned by the receiver. */
export type DecodedFrame = { rgb: Uint8Array; width: number; height: number; index: number };

export type VideoBackend = {
  name: BackendName;
  /** Resolves when the file is complete on disk; rejects with the codec's or the source's error. */
  encode(frames: AsyncIterable<Uint8Array>, job: EncodeJob): Promise<void>;
  decode(file: string, signal?: AbortSignal): AsyncIterable<DecodedFrame>;
  probe(file: string): Promise<VideoProbe>;
};

/** How a backend is opened: the backend, or the reason why it cannot be had here. */
type BackendOpeners = Record<BackendName, () => Promise<VideoBackend>>;

const OPENERS: BackendOpeners = {
  'node-av': async () => (await import('./backend-node-av.ts')).openNodeAv(),
  ffmpeg: async () => (await import('./backend-ffmpeg.ts')).openFfmpeg(),
};

const INSTALL: Record<BackendName, string> = {
  'node-av': 'npm install node-av',
  ffmpeg:
    'apt install ffmpeg, brew install ffmpeg or https://ffmpeg.org/download.html, and FFMPEG_PATH if it is not in PATH',
};

/**
 * The backend to encode and decode with: node-av where it loads, the `ffmpeg` program otherwise.
 * `STEP_VIDEO_BACKEND=node-av|ffmpeg` forces one.
 * @throws environment error naming both, why each failed, and how to install each.
 */
export async function pickBackend(forced = process.env.STEP_VIDEO_BACKEND, openers = OPENERS): Promise<VideoBackend> {
  const op = 'video backend';
  if (forced && forced !== 'node-av' && forced !== 'ffmpeg')
    throw inputError(op, 'STEP_VIDEO_BACKEND must be node-av or ffmpeg', forced);
  const names = forced ? [forced as BackendName] : BACKEND_NAMES;
  const failures: string[] = [];
  const causes: unknown[] = [];
  for (const name of names)
    try {
      return await openers[name]();
    } catch (error) {
      causes.push(error);
      failures.push(`${name}: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}`);
    }
  throw new StepVideoError(
    'environment',
    op,
    names.length === 1 ? `${names[0]} must load` : 'node-av or the ffmpeg program must be installed',
    failures.join('; '),
    names.map((name) => INSTALL[name]).join(', or '),
    causes[0],
  );
}
