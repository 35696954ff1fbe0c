/**
 * `step-video inspect`: what is in a weight file or a checkpoint directory, and whether it is what its config asks for.
 */
import { inputError } from '../errors.ts';
import { formatInspection } from '../weights/format-inspection.ts';
import { inspect } from '../weights/inspect.ts';
import type { Command } from './command.ts';

export const inspectCommand: Command = {
  name: 'inspect',
  usage: 'PATH [flags]',
  about: 'list the tensors of a file or checkpoint and match them against its config',
  flags: [
    { name: 'summary', kind: 'switch', value: '', about: 'leave out the single tensors' },
    { name: 'json', kind: 'switch', value: '', about: 'everything as one JSON line' },
  ],
  async run({ values, words, world }) {
    const [path, ...rest] = words;
    if (path === undefined || rest.length > 0)
      throw inputError('inspect', 'one path must be given', words.join(' ') || undefined);
    const inspection = await inspect(path);
    world.print(values.json ? JSON.stringify(inspection) : formatInspection(inspection, { tensors: !values.summary }));
    return inspection.complete ? 0 : 1;
  },
};
