/**
 * Writing a run's results: files and folders replaced whole, and errors that say which folder could not be written.
 * Does not know what is in them.
 */
import { rename, rm, writeFile } from 'node:fs/promises';
import { StepVideoError } from '../errors.ts';

/** Runs `write`; the system's own error (disk full, no permission) becomes an environment error about `folder`. */
export async function writingErrors<T>(folder: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    throw writingError(folder, error);
  }
}

/** An environment error about `folder` for what the system said; other errors as they are. */
export function writingError(folder: string, error: unknown): unknown {
  if (error instanceof StepVideoError || (error as NodeJS.ErrnoException).code === undefined) return error;
  const { message } = error as Error;
  return new StepVideoError(
    'environment',
    'train',
    `${folder} must be writable`,
    message,
    'freeing disk space; the last saved state is whole',
    error,
  );
}

/** `file` with `text` in it, or as it was. */
export async function replaceFile(file: string, text: string): Promise<void> {
  const part = `${file}.part`;
  try {
    await writeFile(part, text);
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/** `folder` as `write` makes it, or as it was: a reader or a crash never meets files of two times. */
export async function replaceFolder(folder: string, write: (folder: string) => Promise<void>): Promise<void> {
  const part = `${folder}.part`;
  await rm(part, { recursive: true, force: true });
  try {
    await write(part);
  } catch (error) {
    await rm(part, { recursive: true, force: true });
    throw error;
  }
  await rm(folder, { recursive: true, force: true });
  await rename(part, folder);
}
