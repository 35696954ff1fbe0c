/**
 * Between the network's numbers and 8-bit pixels, in single precision step by step, so that results equal the
 * official code's bit for bit. Does not know files.
 */
import { inputError, StepVideoError } from '../errors.ts';

export type ClipShape = { frames: number; height: number; width: number };

const f32 = Math.fround;

/**
 * `x` [frames, 3, height, width] in [-1, 1] → one RGB8 frame [height, width, 3] each:
 * trunc((clamp(x, -1, 1) + 1) * 127.5).
 * @throws input error when the length does not fit the shape; `numeric` error at a NaN, which has no colour.
 */
export function framesFromDecoded(x: Float32Array, shape: ClipShape): Uint8Array[] {
  const { frames, height, width } = shape;
  const plane = height * width;
  if (x.length !== frames * 3 * plane)
    throw inputError('framesFromDecoded', `must hold ${frames} x 3 x ${height} x ${width} numbers`, x.length);
  return Array.from({ length: frames }, (_, frame) => {
    const rgb = new Uint8Array(3 * plane);
    for (let channel = 0; channel < 3; channel++) {
      const from = (frame * 3 + channel) * plane;
      for (let i = 0; i < plane; i++) {
        const value = x[from + i]!;
        if (Number.isNaN(value))
          throw new StepVideoError('numeric', 'framesFromDecoded', `frame ${frame} must hold numbers`, 'NaN');
        const clamped = Math.max(-1, Math.min(1, value));
        rgb[i * 3 + channel] = f32(f32(clamped + 1) * 127.5); // storing into bytes truncates
      }
    }
    return rgb;
  });
}

/** u8 / 127.5 - 1 for each of the 256 values. */
const FLOATS = Float32Array.from({ length: 256 }, (_, value) => f32(f32(value / 127.5) - 1));

/**
 * RGB8 frames [height, width, 3] → [frames, 3, height, width] in [-1, 1]: u8 / 127.5 - 1.
 * @throws input error when a frame's length does not fit.
 */
export function pixelsToFloat(frames: readonly Uint8Array[], size: { height: number; width: number }): Float32Array {
  const plane = size.height * size.width;
  const out = new Float32Array(frames.length * 3 * plane);
  for (const [frame, rgb] of frames.entries()) {
    if (rgb.length !== 3 * plane)
      throw inputError(
        'pixelsToFloat',
        `frame ${frame} must have ${size.height} x ${size.width} x 3 bytes`,
        rgb.length,
      );
    for (let channel = 0; channel < 3; channel++) {
      const to = (frame * 3 + channel) * plane;
      for (let i = 0; i < plane; i++) out[to + i] = FLOATS[rgb[i * 3 + channel]!]!;
    }
  }
  return out;
}
