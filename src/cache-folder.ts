/**
 * Where things are kept that can be made again: `STEP_VIDEO_CACHE`, else the user's cache folder. Makes nothing.
 */
import { homedir } from 'node:os';
import path from 'node:path';

/** The folder of `name` in the cache; undefined where `STEP_VIDEO_CACHE` is `off`. */
export function cacheFolder(name: string, environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const { STEP_VIDEO_CACHE: own, XDG_CACHE_HOME: shared } = environment;
  if (own === 'off') return undefined;
  if (own) return path.join(path.resolve(own), name);
  // The standard wants relative paths ignored.
  const base = shared && path.isAbsolute(shared) ? shared : path.join(homedir(), '.cache');
  return path.join(base, 'step-video', name);
}
