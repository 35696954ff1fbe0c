/**
 * The files of this project, as git knows them. Does not read them.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Paths from the repository's root of everything tracked or new and not ignored, in order. */
export function projectFiles(): string[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    encoding: 'utf8',
  });
  return [...new Set(listed.split('\0').filter((file) => file !== '' && existsSync(file)))].sort();
}
