/**
 * One hash for a model directory, so that a report says which weights it is about. Does not know what the files hold.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';

/** Lower-case hexadecimal sha256 over the names and contents of all files below `directory`, hidden ones left out. */
export async function modelHash(directory: string): Promise<string> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
    .filter((file) => !file.split('/').some((part) => part.startsWith('.')))
    .sort();
  const whole = createHash('sha256');
  for (const file of files) {
    const hash = createHash('sha256');
    await pipeline(createReadStream(path.join(directory, file)), hash);
    whole.update(`${file}\0${hash.digest('hex')}\n`);
  }
  return whole.digest('hex');
}
