/**
 * The device that a run gets: the one asked for where it works, otherwise the CPU with one sentence that says what is missing
 * and how to install it.
 */
import type { Device } from './device.ts';
import { type DeviceReport, tryDevice } from './try-device.ts';

export type SettledDevice = { readonly device: Device; readonly warning: string | undefined };

/** Each device is tried once a process: a driver does not come while it runs. */
const tried = new Map<Device, Promise<DeviceReport>>();

export async function settleDevice(asked: Device, attempt = tryOnce): Promise<SettledDevice> {
  // What everything else falls back to needs no trial.
  if (asked === 'cpu') return { device: 'cpu', warning: undefined };
  const report = await attempt(asked);
  return report.works ? { device: asked, warning: undefined } : { device: 'cpu', warning: fallbackSentence(report) };
}

function tryOnce(device: Device): Promise<DeviceReport> {
  const report = tried.get(device) ?? tryDevice(device);
  tried.set(device, report);
  return report;
}

function fallbackSentence({ device, missing, install }: Extract<DeviceReport, { works: false }>): string {
  return `device ${device} needs ${missing}, so this runs on the CPU (to install: ${install})`;
}
