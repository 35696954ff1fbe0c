/**
 * `step-video doctor`: what this machine can do, and what to install for what it cannot.
 */
import { inputError } from '../errors.ts';
import type { Command } from './command.ts';
import { formatDiagnosis } from './format-diagnosis.ts';

export const doctorCommand: Command = {
  name: 'doctor',
  usage: '[flags]',
  about: 'what this machine can do: devices, codecs, memory, speed',
  flags: [{ name: 'json', kind: 'switch', value: '', about: 'everything as one JSON line' }],
  async run({ values, words, world }) {
    if (words.length > 0) throw inputError('doctor', 'takes flags only', words.join(' '));
    const { diagnose } = await import('../machine/doctor.ts');
    const diagnosis = await diagnose();
    world.print(values.json ? JSON.stringify(diagnosis) : formatDiagnosis(diagnosis));
    // Nothing runs without the CPU device, and no video is written without a backend.
    const works = diagnosis.devices.some(({ works }) => works) && diagnosis.video.some(({ works }) => works);
    return works ? 0 : 1;
  },
};
