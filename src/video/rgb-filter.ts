/**
 * The filter that every backend decodes through, so that both give the same RGB. Knows ffmpeg's names of pixel formats.
 */

/** Filter from frames of pixel format `format` to full-range RGB; what is transparent lies over black. */
export function rgbFilter(format: string): string {
  const scale = 'scale=out_range=pc:flags=accurate_rnd+full_chroma_int+full_chroma_inp';
  return /^(yuva|gbrap|rgba|bgra|argb|abgr|ya\d|ayuv)/.test(format)
    ? `${scale},format=gbrap,premultiply=inplace=1`
    : scale;
}
