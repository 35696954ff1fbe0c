/**
 * Few small pictures at uneven times → an animation about as large and as long as the video that they are of.
 * Does not know latents, nor when a preview is due.
 */
import sharp from 'sharp';
import { type EncodedVideo, encodeVideo } from './encode.ts';
import { formatOf, VIDEO_FORMATS } from './format.ts';

/** `times` in frames of the video, ascending: where each of `pictures`, RGB8 [height, width, 3], has its middle. */
export type TimedPictures = {
  readonly width: number;
  readonly height: number;
  readonly pictures: readonly Uint8Array[];
  readonly times: readonly number[];
};

export type PreviewJob = {
  /** `.webp` or `.gif`; replaced whole. */
  readonly path: string;
  /** Those of the video. */
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  readonly fps: number;
  readonly metadata: Record<string, string>;
};

/** Longer side of an animation at most: more costs time and shows nothing. */
const LONGEST_SIDE = 512;
/** Frames of the video to one of the animation. */
const STRIDE = 4;

/** Writes the animation; throws as `encodeVideo` does. */
export async function writePreview(small: TimedPictures, job: PreviewJob): Promise<EncodedVideo> {
  const { frames, path, metadata } = job;
  const scale = Math.min(1, LONGEST_SIDE / Math.max(job.width, job.height));
  const [width, height] = [Math.round(job.width * scale), Math.round(job.height * scale)];
  const count = Math.ceil(frames / STRIDE);
  const { maxFps } = VIDEO_FORMATS[formatOf(path)];
  const fps = Math.min(maxFps, Math.max(0.1, job.fps / STRIDE));
  async function* enlarged(): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < count; i++) {
      const picture = pictureAt(small, i * STRIDE + (STRIDE - 1) / 2);
      yield await sharp(picture, { raw: { width: small.width, height: small.height, channels: 3 } })
        .resize(width, height, { fit: 'fill', kernel: 'cubic' })
        .raw()
        .toBuffer();
    }
  }
  return encodeVideo(enlarged(), { path, width, height, fps, metadata });
}

/** The picture at frame `time`: mixed of its neighbours, the first or last one beyond the ends. */
export function pictureAt({ pictures, times }: TimedPictures, time: number): Uint8Array {
  const after = times.findIndex((t) => t >= time);
  if (after <= 0) return after === 0 ? pictures[0]! : pictures.at(-1)!;
  const [before, next] = [pictures[after - 1]!, pictures[after]!];
  const share = (time - times[after - 1]!) / (times[after]! - times[after - 1]!);
  return before.map((value, i) => Math.round(value + share * (next[i]! - value)));
}
