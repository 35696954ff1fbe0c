/**
 * Help texts, made of the table of commands. Knows no command by name but the default one.
 */
import { inputError } from '../errors.ts';
import { nearestName } from '../nearest.ts';
import type { Command } from './command.ts';
import { describeFlags } from './flags.ts';

/**
 * Help about `topic`, or about everything.
 * @throws input error for a topic that is no command.
 */
export function helpText(commands: readonly Command[], program: string, topic?: string): string {
  if (topic !== undefined) {
    const command = commands.find(({ name }) => name === topic);
    if (!command) throw unknownCommand(commands, topic);
    return commandHelp(command, program);
  }
  const width = Math.max(...commands.map(({ name, usage }) => `${name} ${usage}`.length));
  const rows = commands.map(({ name, usage, about }) => `  ${`${name} ${usage}`.padEnd(width)}  ${about}`);
  const byDefault = commands[0]!;
  return [
    'step-video: text to video with Step-Video-T2V, and with models that you train yourself',
    `  ${program} "a red apple bounces on a blue background"\n  ${program} COMMAND …`,
    `commands\n${rows.join('\n')}\n  ${'help [COMMAND]'.padEnd(width)}  this, or the flags of a command`,
    `flags of ${byDefault.name}\n${describeFlags(byDefault.flags)}`,
    'exit code: 0 done, 1 failed, 2 the input was refused, 130 stopped by Ctrl-C',
  ].join('\n\n');
}

function commandHelp({ name, usage, about, flags }: Command, program: string): string {
  const head = `${program} ${name} ${usage}\n  ${about}`;
  return flags.length === 0 ? head : `${head}\n\n${describeFlags(flags)}`;
}

export function unknownCommand(commands: readonly Command[], word: string): Error {
  const names = [...commands.map(({ name }) => name), 'help'];
  return inputError('step-video', `must be a command: ${names.join(', ')}`, word, nearestName(word, names));
}
