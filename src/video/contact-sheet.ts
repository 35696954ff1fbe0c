/**
 * Many frames on one PNG, to look at clips at a glance. Knows the grid; does not choose the frames.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import sharp, { type OverlayOptions } from 'sharp';
import { inputError } from '../errors.ts';

export type ContactSheetOptions = {
  width: number;
  height: number;
  /** Frames in a row. */
  columns: number;
  path: string;
  /** Enlargement of each frame, by nearest pixel when it is 1 or more so that artefacts stay visible. Default 1. */
  scale?: number;
  /** A line of text under each frame, or '' for none. */
  labels?: string[];
};

const GAP = 2;
const LABEL_HEIGHT = 16;

/**
 * Lays RGB8 `frames` (each [height, width, 3]) out in rows of `columns` and writes `path`.
 * @returns the size of the picture in pixels.
 */
export async function contactSheet(
  frames: readonly Uint8Array[],
  options: ContactSheetOptions,
): Promise<{ width: number; height: number }> {
  const { width, height, scale = 1, labels } = options;
  const op = 'contactSheet';
  if (frames.length === 0) throw inputError(op, 'there must be at least one frame', 0);
  if (!Number.isInteger(options.columns) || options.columns < 1)
    throw inputError(op, 'columns must be a whole number of at least 1', options.columns);
  if (!(scale > 0 && scale <= 64)) throw inputError(op, 'scale must be above 0 and at most 64', scale);
  for (const [i, frame] of frames.entries())
    if (frame.length !== width * height * 3)
      throw inputError(op, `frame ${i} must have ${height} x ${width} x 3 bytes`, frame.length);

  const columns = Math.min(options.columns, frames.length);
  const cell = { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
  const pitch = { x: cell.width + GAP, y: cell.height + GAP + (labels ? LABEL_HEIGHT : 0) };
  const size = { width: columns * pitch.x - GAP, height: Math.ceil(frames.length / columns) * pitch.y - GAP };
  const pieces: OverlayOptions[] = [];
  for (const [i, frame] of frames.entries()) {
    const left = (i % columns) * pitch.x;
    const top = Math.floor(i / columns) * pitch.y;
    const { data, info } = await sharp(frame, { raw: { width, height, channels: 3 } })
      .resize({ ...cell, fit: 'fill', kernel: scale >= 1 ? 'nearest' : 'lanczos3' })
      .raw()
      .toBuffer({ resolveWithObject: true });
    pieces.push({ input: data, raw: { width: info.width, height: info.height, channels: 3 }, left, top });
    const label = labels?.[i];
    if (label) pieces.push({ input: labelPicture(label, cell.width), left, top: top + cell.height });
  }
  await mkdir(path.dirname(path.resolve(options.path)), { recursive: true });
  await sharp({ create: { ...size, channels: 3, background: '#ffffff' } })
    .composite(pieces)
    .png()
    .toFile(options.path);
  return size;
}

function labelPicture(label: string, width: number): Buffer {
  const text = label.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${LABEL_HEIGHT}">` +
      `<text x="2" y="12" font-family="sans-serif" font-size="11" fill="#222222">${text}</text></svg>`,
  );
}
