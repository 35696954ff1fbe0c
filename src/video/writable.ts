/**
 * Whether an output path can be written, asked before hours of work; and what a failure while writing means.
 * Does not know formats beyond "one file" against "png frames".
 */
import { randomBytes } from 'node:crypto';
import { access, constants, mkdir, realpath, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { inputError, StepVideoError } from '../errors.ts';
import type { VideoFormat } from './format.ts';
import { formatOf } from './format.ts';
import { pngDirectory } from './png-sequence.ts';

const OP = 'output path';

/**
 * Checks that a clip can be written to `file`: its directory exists or can be made and takes new files, and what is
 * there already is neither a directory nor a device nor write-protected. Leaves no trace.
 * @throws input error naming the path and the reason.
 */
export async function assertWritable(file: string, format: VideoFormat = formatOf(file)): Promise<void> {
  if (file === '' || file.includes('\0')) throw inputError(OP, 'must be a file name', file);
  const directory = format === 'png' ? pngDirectory(file) : path.dirname(file);
  if (format !== 'png') {
    if (/[\\/]$/.test(file)) throw inputError(OP, `must name a file for ${format}`, file, `${file}clip.${format}`);
    const there = await stat(file).catch(() => undefined);
    if (there?.isDirectory())
      throw inputError(OP, `must be a file for ${format}, not a directory`, file, path.join(file, `clip.${format}`));
    // Renaming the finished clip over a device would replace the device.
    if (there && !there.isFile()) throw inputError(OP, 'must be a regular file or a new one', file);
    if (there) await access(file, constants.W_OK).catch((error) => refuse(file, error));
  }
  const ancestor = await existingAncestor(directory);
  const trial = path.join(ancestor, `.step-video-${randomBytes(6).toString('hex')}.part`);
  await writeFile(trial, '', { flag: 'wx' }).catch((error) => refuse(file, error));
  await rm(trial, { force: true });
}

/** The nearest existing directory at or above `directory`. */
async function existingAncestor(directory: string): Promise<string> {
  for (let at = path.resolve(directory); ; at = path.dirname(at)) {
    const there = await stat(at).catch(() => undefined);
    if (there?.isDirectory()) return at;
    if (there) throw inputError(OP, 'must lie in a directory', directory, `another place: ${at} is a file`);
    if (at === path.dirname(at)) throw inputError(OP, 'must lie in a directory that exists or can be made', directory);
  }
}

function refuse(file: string, error: unknown): never {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') throw writeFailure(error, file);
  throw inputError(
    OP,
    'must be writable',
    `${file} (${code ?? message})`,
    'another directory, or change its permissions',
  );
}

/**
 * Makes the directory of `file` and says where to write: `target` follows a symbolic link, and `part` is a hidden
 * name in the same directory, so that the rename at the end is atomic.
 */
export async function prepareTarget(file: string, format: VideoFormat): Promise<{ target: string; part: string }> {
  const directory = format === 'png' ? pngDirectory(file) : path.dirname(file);
  await mkdir(directory, { recursive: true });
  const target = format === 'png' ? file : await realpath(file).catch(() => file);
  const beside = format === 'png' ? directory : path.dirname(target);
  return { target, part: path.join(beside, `.${path.basename(target)}.${randomBytes(6).toString('hex')}.part`) };
}

/**
 * What a failure while writing `file` means to the caller: a full disk is named as such, our own errors are passed on,
 * anything else is the codec's or the system's.
 */
export function writeFailure(error: unknown, file: string): StepVideoError {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const full =
    code === 'ENOSPC' || code === 'EDQUOT' || /no space left on device|disk quota exceeded/i.test(String(message));
  if (!full && error instanceof StepVideoError) return error;
  if (!full) {
    const got = `${String(message ?? error)} while writing ${file}`;
    return new StepVideoError('environment', 'encodeVideo', 'the encoder must run to its end', got, undefined, error);
  }
  return new StepVideoError(
    'environment',
    'encodeVideo',
    'the disk must have room for the video',
    `no space left while writing ${file}`,
    'freeing space or another path, then decode the saved latents again',
    error,
  );
}
