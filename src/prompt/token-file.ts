/**
 * Reads the files of a tokenizer with errors that name them.
 * Does not know what any tokenizer means by their content.
 */
import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { checkpointError } from '../errors.ts';

/** Bytes of a file. @throws checkpoint error where it cannot be read. */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw checkpointError(`tokenizer ${path}`, 'file must be readable', (cause as NodeJS.ErrnoException).code);
  }
}

/** UTF-8 text of a file, a byte-order mark kept. @throws checkpoint error where it is empty or not UTF-8. */
export async function readText(path: string): Promise<string> {
  const bytes = await readBytes(path);
  if (bytes.length === 0) throw checkpointError(`tokenizer ${path}`, 'file must not be empty', '0 bytes');
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw checkpointError(`tokenizer ${path}`, 'file must be UTF-8', `${bytes.length} bytes that are not`);
  }
}

/** A JSON file checked by `schema`; a file that does not exist reads as `{}`. @throws checkpoint error. */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  let value: unknown;
  try {
    value = JSON.parse(await readText(path));
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw checkpointError(`tokenizer ${path}`, 'file must be complete JSON', error.message);
    }
    const missing = (error as { got?: string }).got === 'ENOENT';
    if (!missing) throw error;
    value = {};
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw checkpointError(`tokenizer ${path}`, `field ${issue?.path.join('.') ?? ''} must be valid`, issue?.message);
}
