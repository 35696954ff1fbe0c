/**
 * One hash for a model directory, so that a report says which weights it is about, and its size. Does not know what the
 * files hold.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

/** Lower-case hexadecimal sha256 over the names and contents of all files below `directory`, hidden ones left out, and their size. */
export async function modelHash(directory: string): Promise<{ sha256: string; bytes: number }> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
    .filter((file) => !file.split('/').some((part) => part.startsWith('.')))
    .sort();
  const whole = createHash('sha256');
  let bytes = 0;
  for (const file of files) {
    const hash = createHash('sha256');
    await pipeline(createReadStream(path.join(directory, file)), hash);
    bytes += (await stat(path.join(directory, file))).size;
    whole.update(`${file}\0${hash.digest('hex')}\n`);
  }
  return { sha256: whole.digest('hex'), bytes };
}
