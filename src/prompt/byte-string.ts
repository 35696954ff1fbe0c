/**
 * Byte strings: UTF-8 text held as a JavaScript string of one character (0-255) a byte, so that sentencepiece's
 * byte offsets, lengths and prefix searches carry over unchanged.
 * Does not know what the bytes mean to a model.
 */

/** A string whose characters are bytes (0-255). */
export type ByteString = string;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Bytes as a byte string. */
export function bytesToString(bytes: Uint8Array): ByteString {
  let text = '';
  const chunk = 8192; // the spread below must stay under the engine's argument limit
  for (let i = 0; i < bytes.length; i += chunk) text += String.fromCharCode(...bytes.subarray(i, i + chunk));
  return text;
}

/** UTF-8 bytes of `text`; a lone surrogate becomes U+FFFD, as no UTF-8 exists for it. */
export const toByteString = (text: string): ByteString => bytesToString(encoder.encode(text));

/** Text of a byte string; malformed bytes become U+FFFD. */
export const fromByteString = (bytes: ByteString): string =>
  decoder.decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)));

/** Length that the lead byte at `at` announces, cut at the end of the string: 1-4 bytes. */
export function characterLength(bytes: ByteString, at: number): number {
  const lead = bytes.charCodeAt(at);
  const length = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  return Math.min(length, bytes.length - at);
}

/** Length of the well-formed UTF-8 character at `at`, or 0 where the bytes are malformed. */
export function wellFormedLength(bytes: ByteString, at: number): number {
  const lead = bytes.charCodeAt(at);
  if (lead < 0x80) return 1;
  const length = lead >= 0xc2 && lead < 0xe0 ? 2 : (lead & 0xf0) === 0xe0 ? 3 : (lead & 0xf8) === 0xf0 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  let codePoint = lead & (0xff >> (length + 1));
  for (let i = 1; i < length; i++) {
    const trail = bytes.charCodeAt(at + i);
    if ((trail & 0xc0) !== 0x80) return 0;
    codePoint = (codePoint << 6) | (trail & 0x3f);
  }
  const smallest = length === 2 ? 0x80 : length === 3 ? 0x800 : 0x10000;
  const valid = codePoint >= smallest && codePoint <= 0x10ffff && (codePoint < 0xd800 || codePoint > 0xdfff);
  return valid ? length : 0;
}
