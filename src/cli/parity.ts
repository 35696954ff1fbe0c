/**
 * `step-video parity`: every set of recorded numbers in a directory against what this program computes.
 */
import { inputError } from '../errors.ts';
import { formatReport, REPORT_HEADER, runParity } from '../parity/run.ts';
import type { Command } from './command.ts';

export const parityCommand: Command = {
  name: 'parity',
  usage: 'DIR [flags]',
  about: 'compare with numbers recorded from the official code',
  flags: [{ name: 'json', kind: 'switch', value: '', about: 'a JSON line for each set' }],
  async run({ values, words, world }) {
    const [dir, ...rest] = words;
    if (dir === undefined || rest.length > 0)
      throw inputError('parity', 'one directory must be given', words.join(' ') || undefined);
    if (!values.json) world.print(REPORT_HEADER);
    const { sets, failed } = await runParity(dir, {
      onSet: (report) => world.print(values.json ? JSON.stringify(report) : formatReport(report)),
    });
    if (!values.json) world.print(`${sets.length} sets, ${failed === 0 ? 'all ok' : `${failed} FAIL`}`);
    return failed === 0 ? 0 : 1;
  },
};
