/**
 * The forms of a quantized weight [out, in], and the shapes of the two tensors that it is stored as. Knows no values.
 */
import type { Shape } from './shape.ts';

/**
 * `int4`: codes 0 to 15 for -8 to 7, two a byte (the lower half first), in blocks of `block` columns of one row, each with a
 * scale; the last block of a row is filled up. `int8`: codes 1 to 255 for -127 to 127, one scale a row, transposed.
 */
export type QuantizedForm = { readonly scheme: 'int4'; readonly block: number } | { readonly scheme: 'int8' };

export const QUANTIZED_BITS: Readonly<Record<QuantizedForm['scheme'], number>> = { int4: 4, int8: 8 };

/** Shapes of the codes (uint8) and scales (float32). Both are laid out as their kernels read them, so that files need no copy. */
export function quantizedShapes(form: QuantizedForm, [rows, columns]: readonly [number, number]) {
  const shapes = (packed: Shape, scale: Shape) => ({ packed, scale });
  if (form.scheme === 'int8') return shapes([columns, rows], [rows]);
  const blocks = Math.ceil(columns / form.block);
  return shapes([rows, blocks, form.block / 2], [rows, blocks]);
}
