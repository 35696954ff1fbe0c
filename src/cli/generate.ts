/**
 * `step-video generate`, the default command: a prompt or saved latents become a video file.
 * Shows the events of `generate`; makes nothing itself.
 */
import { StepVideoError } from '../errors.ts';
import { type GenerateEvent, generate } from '../generate.ts';
import type { GenerateRequest } from '../request.ts';
import type { Command, Invocation, World } from './command.ts';
import { progressFor, wait } from './progress.ts';
import { REQUEST_FLAGS, requestFromFlags } from './request-flags.ts';

export const JSON_FLAG = {
  name: 'json',
  kind: 'switch',
  value: '',
  about: 'one JSON line per event on standard output',
} as const;

export const generateCommand: Command = {
  name: 'generate',
  usage: '"PROMPT" [flags]',
  about: 'make a video from a sentence (the default command)',
  flags: [...REQUEST_FLAGS, JSON_FLAG],
  run({ values: { json = false, ...values }, words, world }: Invocation) {
    return runGeneration(requestFromFlags(values, words), { json: json === true, world });
  },
};

/** Runs `request` and shows it. @returns the exit code; an error is thrown after what was kept has been named. */
export async function runGeneration(
  request: GenerateRequest,
  { json, world }: { json: boolean; world: World },
): Promise<number> {
  const progress = json ? undefined : progressFor(world);
  let kept: { path: string; step: number } | undefined;
  try {
    for await (const event of generate(request, { signal: world.signal })) {
      if (event.type === 'latents') kept = event;
      if (json) world.print(JSON.stringify(plain(event)));
      progress?.show(event);
      if (event.type === 'done' && !json) {
        world.print(
          `${event.path} (${event.frames} frames, ${(event.bytes / 1000).toFixed(0)} kB, ${wait(event.seconds)})`,
        );
        if (event.latents !== undefined) world.note(`latents kept in ${event.latents}`);
      }
    }
    return 0;
  } catch (error) {
    progress?.stop();
    if (kept && !(error instanceof StepVideoError && error.kind === 'internal')) {
      const command = resumeCommand(world.program, kept.path, request);
      if (json) world.print(JSON.stringify({ type: 'resume', path: kept.path, step: kept.step, command }));
      else world.note(`kept ${kept.path} after step ${kept.step}; to go on:\n  ${command}`);
    }
    throw error;
  } finally {
    progress?.stop();
  }
}

/** An event without its arrays of numbers and pictures. */
function plain(event: GenerateEvent): object {
  const isBulky = (value: unknown): boolean => (Array.isArray(value) ? value.some(isBulky) : ArrayBuffer.isView(value));
  return Object.fromEntries(Object.entries(event).filter(([, value]) => !isBulky(value)));
}

/** The command that goes on from `file`: what the file does not hold is repeated. */
function resumeCommand(program: string, file: string, request: GenerateRequest): string {
  const { out, format, fps, device, memory, model, tile, preview, previewEvery } = request;
  const flags = { out, format, fps, device, memory, model, tile, preview, 'preview-every': previewEvery };
  const repeated = Object.entries(flags).flatMap(([flag, value]) =>
    value === undefined ? [] : [`--${flag}`, shellWord(String(value))],
  );
  return [program, '--resume', shellWord(file), ...repeated].join(' ');
}

/** `text` as one word to a POSIX shell. */
const shellWord = (text: string): string =>
  /^[\p{L}\p{N}_@%+=:,./-]+$/u.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
