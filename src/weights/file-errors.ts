/**
 * One way to say that a checkpoint file cannot be opened.
 * Does not decide what is missing; its callers know which file matters.
 */
import { checkpointError, type StepVideoError } from '../errors.ts';

/** The error for a failed open or read of `path`. */
export function missingFileError(what: string, path: string, error: unknown): StepVideoError {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT')
    return checkpointError(
      `${what} ${path}`,
      'the file must exist',
      'nothing there',
      'another path, or downloading the file',
    );
  if (code === 'EACCES' || code === 'EPERM')
    return checkpointError(
      `${what} ${path}`,
      'the file must be readable',
      'permission denied',
      'changing its permissions',
    );
  return checkpointError(
    `${what} ${path}`,
    'the file must be readable',
    error instanceof Error ? error.message : error,
  );
}
