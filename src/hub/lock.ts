/**
 * A lock between processes as a file that says who holds it. The lock of a dead process is taken over: at once where
 * the process was on this machine, else when its file has not been touched for a minute.
 *
 * It spares work and is not what safety rests on: two holders at once (a suspended process that comes back) would write
 * the same bytes to the same places, and nothing becomes a finished file without its hash.
 */
import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { z } from 'zod';

export type Lock = { release(): Promise<void> };

const TOUCH_EVERY = 10_000;
const STALE_AFTER = 60_000;

const holderSchema = z.object({ pid: z.int(), host: z.string(), id: z.string() });

/** Takes the lock at `path`, or returns undefined while another living process, or this one, holds it. */
export async function tryLock(path: string): Promise<Lock | undefined> {
  const id = randomUUID();
  const text = JSON.stringify({ pid: process.pid, host: hostname(), id });
  if (!(await create(path, text)) && !((await removeStale(path, id)) && (await create(path, text)))) return undefined;
  const touch = setInterval(() => {
    const now = new Date();
    // Gone means taken over after a long sleep of this process; see above why that is no harm.
    utimes(path, now, now).catch(() => {});
  }, TOUCH_EVERY);
  touch.unref();
  return {
    async release() {
      clearInterval(touch);
      if ((await contentOf(path)) === text) await rm(path, { force: true });
    },
  };
}

async function create(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

const contentOf = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch(() => undefined);

/** Removes the lock at `path` if its holder is dead. Of several processes that try, one gets true. */
async function removeStale(path: string, id: string): Promise<boolean> {
  const seen = await contentOf(path);
  if (seen === undefined) return true;
  if (!(await isStale(path, seen))) return false;
  const aside = `${path}.${id}`;
  try {
    await rename(path, aside);
  } catch {
    return false; // another process was faster
  }
  const isTheOneSeen = (await contentOf(aside)) === seen;
  // Between look and rename another process may have taken over: that lock is alive and goes back.
  if (!isTheOneSeen) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
  return isTheOneSeen;
}

async function isStale(path: string, text: string): Promise<boolean> {
  const touched = await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => Date.now(),
  );
  if (Date.now() - touched > STALE_AFTER) return true;
  const holder = holderOf(text);
  // Not readable: just being written, or by something else; its age decides.
  return holder !== undefined && holder.host === hostname() && !isAlive(holder.pid);
}

function holderOf(text: string): z.infer<typeof holderSchema> | undefined {
  try {
    return holderSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
