/**
 * How long one prompt takes to become a file, and how much memory, as a user's command would: model opened for it, presets as
 * they are. Scores nothing.
 */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { generate } from '../generate.ts';
import type { Device } from '../runtime/device.ts';
import { pickBackend } from '../video/backend.ts';

/** Seconds since the start; `firstPreview` is absent where generation shows none. Memory is the process's peak so far. */
export type VideoTiming = {
  readonly prompt: string;
  readonly format: string;
  readonly frames: number;
  readonly text: number;
  readonly denoise: number;
  readonly decode: number;
  readonly seconds: number;
  readonly firstPreview?: number | undefined;
  readonly peakMemoryBytes: number;
};

type TimedRequest = {
  readonly model: string;
  readonly prompt: string;
  readonly frames: number;
  readonly steps: number;
  readonly device: Device;
};

/** Makes one video in `out`, removes it, and says what it took. An mp4 where something here codes it. @throws as `generate` does. */
export async function timeVideo(
  { model, prompt, frames, steps, device }: TimedRequest,
  { out, signal }: { out: string; signal?: AbortSignal | undefined },
): Promise<VideoTiming> {
  const format = await pickBackend().then(
    () => 'mp4' as const,
    () => 'webp' as const,
  );
  const file = path.join(out, `timed.${format}`);
  const start = performance.now();
  const at = { text: 0, denoise: 0, done: 0 };
  let firstPreview: number | undefined;
  const written = [file];
  const request = { model, prompt, frames, steps, device, out: file, seed: 0 };
  try {
    for await (const event of generate(request, { ...(signal && { signal }) })) {
      const now = (performance.now() - start) / 1000;
      // An event that not every version of generation has.
      if ((event.type as string) === 'preview') firstPreview ??= now;
      if (event.type === 'text') at.text = now;
      if (event.type === 'latents') {
        at.denoise = now;
        written.push(event.path);
      }
      if (event.type === 'done') at.done = now;
    }
  } finally {
    for (const each of written) await rm(each, { force: true });
  }
  return {
    ...{ prompt, format, frames, text: at.text, denoise: at.denoise - at.text, decode: at.done - at.denoise },
    ...{ seconds: at.done, firstPreview, peakMemoryBytes: process.resourceUsage().maxRSS * 1024 },
  };
}
