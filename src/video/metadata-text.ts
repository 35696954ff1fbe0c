/**
 * The generation's parameters as the one JSON string that every format carries.
 * Knows the string; does not know where a container keeps it.
 */
import { inputError } from '../errors.ts';

/** The `ffmpeg` program takes it as one argument, and Linux ends an argument at 128 KiB. */
const MAX_BYTES = 120_000;

/**
 * One line of JSON; control characters and lone surrogates come out escaped, so any container can hold it.
 * @throws input error above 120,000 bytes.
 */
export function metadataText(metadata: Record<string, string>): string {
  const text = JSON.stringify(metadata);
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_BYTES)
    throw inputError('encodeVideo', `metadata must be at most ${MAX_BYTES} bytes of JSON`, bytes, 'shorter values');
  return text;
}

/** Inverse of `metadataText`; undefined for text that is not such a record (a comment by another program). */
export function parseMetadataText(text: string | undefined): Record<string, string> | undefined {
  if (!text?.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    return Object.values(value).every((entry) => typeof entry === 'string')
      ? (value as Record<string, string>)
      : undefined;
  } catch {
    return undefined;
  }
}
