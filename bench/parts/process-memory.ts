/**
 * Memory of this process as the system counts it, in bytes. Linux; elsewhere only the peak is known.
 */
import { existsSync, readFileSync } from 'node:fs';

const STATUS = '/proc/self/status';

/** Most that was ever resident, mapped files included. */
export function peakResident(): number {
  const kilobytes = existsSync(STATUS) ? /VmHWM:\s+(\d+)/.exec(readFileSync(STATUS, 'utf8'))?.[1] : undefined;
  return 1024 * Number(kilobytes ?? process.resourceUsage().maxRSS);
}
