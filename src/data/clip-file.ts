/**
 * One video, animation or picture as small frames at a steady rate. Refuses what cannot be trusted before it allocates
 * anything for it. Does not know captions, caches or networks.
 */
import sharp from 'sharp';
import { StepVideoError } from '../errors.ts';
import type { DecodedFrame } from '../video/backend.ts';
import { probe, readFrames } from '../video/decode.ts';

/** Pixels of a frame: a little more than 8K video. */
const MOST_PIXELS = 40_000_000;

/** Of what is cut off sideways to fill another aspect, this much is kept, so that crops may wander: sides over the shape's. */
const MOST_OVERHANG = 2;

/** A file as it is: `fps` is 0 where there is one frame, or where the file does not say. */
export type ClipFacts = {
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  readonly frames: number;
};

export type Size = { readonly width: number; readonly height: number };

/** Size, rate and number of frames, without decoding them. @throws data error where the file is no clip, or too large. */
export async function clipFacts(file: string): Promise<ClipFacts> {
  const { width, height, fps, frames } = await probe(file);
  if (frames === 0) throw refused('there must be at least one frame', 0);
  if (width * height > MOST_PIXELS)
    throw refused(`a frame must have at most ${MOST_PIXELS} pixels`, `${width}x${height}`);
  if (width * height === 0) throw refused('frames must have a size', `${width}x${height}`);
  return { width, height, fps: frames === 1 ? 0 : fps, frames };
}

/** Every frame as it is. @throws data error where one does not decode, or where sizes change on the way. */
export async function* wholeFrames(
  file: string,
  { width, height }: ClipFacts,
  signal?: AbortSignal,
): AsyncGenerator<DecodedFrame> {
  let count = 0;
  for await (const frame of readFrames(file, signal ? { signal } : {})) {
    if (frame.width !== width || frame.height !== height)
      throw refused(
        'all frames must have one size',
        `${width}x${height}, then ${frame.width}x${frame.height} at frame ${frame.index}`,
      );
    count += 1;
    yield frame;
  }
  if (count === 0) throw refused('there must be at least one frame', 0);
}

/** Frames that `facts` come to at `fps`, at least one. Those that do not say their rate have it already. */
export const framesAt = (facts: ClipFacts, fps: number): number =>
  facts.fps > 0 ? Math.max(1, Math.ceil((facts.frames * fps) / facts.fps - 0.5)) : facts.frames;

/** The size of `facts`' frames that just fills `shape`; at most twice as much as it needs along the longer side. */
export function coverSize({ width, height }: Size, shape: Size): Size {
  const scale = Math.max(shape.width / width, shape.height / height);
  const side = (own: number, wanted: number): number =>
    Math.min(MOST_OVERHANG * wanted, Math.max(wanted, Math.round(own * scale)));
  return { width: side(width, shape.width), height: side(height, shape.height) };
}

/**
 * At most `most` frames, RGB8 [height, width, 3] of `coverSize`, one every 1/fps seconds: each the frame that is shown in
 * the middle of its time. Averaged over areas where they shrink.
 */
export async function* smallFrames(
  file: string,
  facts: ClipFacts,
  { fps, shape, most, signal }: { fps: number; shape: Size; most: number; signal?: AbortSignal | undefined },
): AsyncGenerator<Uint8Array> {
  const size = coverSize(facts, shape);
  const rate = facts.fps > 0 ? facts.fps / fps : 1;
  let made = 0;
  let last: DecodedFrame | undefined;
  for await (const frame of wholeFrames(file, facts, signal)) {
    if (made >= most) return;
    const isShown = (): boolean => made < most && Math.floor((made + 0.5) * rate) <= frame.index;
    last = frame;
    if (!isShown()) continue;
    const small = await fill(frame, size);
    for (; isShown(); made++) yield small;
  }
  // Shorter than half of the time of a frame.
  if (made === 0 && last !== undefined) yield fill(last, size);
}

/** The middle of `frame`, in the aspect of `size`, scaled to it. */
async function fill({ rgb, width, height }: DecodedFrame, size: Size): Promise<Uint8Array> {
  if (width === size.width && height === size.height) return rgb;
  const scale = Math.max(size.width / width, size.height / height);
  const part = {
    width: Math.max(1, Math.min(width, Math.round(size.width / scale))),
    height: Math.max(1, Math.min(height, Math.round(size.height / scale))),
  };
  const corner = { left: Math.floor((width - part.width) / 2), top: Math.floor((height - part.height) / 2) };
  const data = await sharp(rgb, { raw: { width, height, channels: 3 } })
    .extract({ ...corner, ...part })
    .resize({ ...size, fit: 'fill', kernel: 'linear' })
    .raw()
    .toBuffer();
  return new Uint8Array(data.buffer, data.byteOffset, data.length);
}

const refused = (rule: string, got: unknown): StepVideoError => new StepVideoError('data', 'clip', rule, got);
