/**
 * `step-video decode`: saved latents that are through all their steps become a video file, without text or denoiser.
 */
import { inputError } from '../errors.ts';
import { readLatents } from '../latents.ts';
import type { Command } from './command.ts';
import { JSON_FLAG, runGeneration } from './generate.ts';
import { REQUEST_FLAGS, requestFromFlags } from './request-flags.ts';

const TAKEN = new Set(['out', 'format', 'fps', 'model', 'device', 'memory', 'tile']);

export const decodeCommand: Command = {
  name: 'decode',
  usage: 'LATENTS [flags]',
  about: 'turn saved latents into a video file',
  flags: [...REQUEST_FLAGS.filter(({ name }) => TAKEN.has(name)), JSON_FLAG],
  async run({ values: { json = false, ...values }, words, world }) {
    const [file, ...rest] = words;
    if (file === undefined || rest.length > 0)
      throw inputError('decode', 'one file of latents must be given', words.join(' ') || undefined);
    const request = requestFromFlags({ ...values, resume: file }, []);
    const { step, request: sampling } = await readLatents(file);
    if (step < sampling.steps) {
      const rule = `latents must be through all ${sampling.steps} steps`;
      throw inputError('decode', rule, step, `${world.program} --resume ${file}`);
    }
    return runGeneration(request, { json: json === true, world });
  },
};
