/**
 * Arguments → command → exit code. The only place that turns errors into text and codes.
 * Does not know the process: output and signals come in through `World`.
 */
import { StepVideoError } from '../errors.ts';
import { nearestName } from '../nearest.ts';
import type { Command, World } from './command.ts';
import { dataCommand } from './data.ts';
import { decodeCommand } from './decode.ts';
import { doctorCommand } from './doctor.ts';
import { evalCommand } from './eval.ts';
import { type Flag, parseFlags } from './flags.ts';
import { generateCommand } from './generate.ts';
import { helpText, unknownCommand } from './help.ts';
import { inspectCommand } from './inspect.ts';
import { parityCommand } from './parity.ts';
import { planCommand } from './plan.ts';
import { previewFitCommand } from './preview-fit.ts';
import { pullCommand } from './pull.ts';
import { quantizeCommand } from './quantize.ts';
import { trainCommand } from './train.ts';

/** In the order of the help text; the first is the default. */
const COMMANDS: readonly Command[] = [
  generateCommand,
  decodeCommand,
  inspectCommand,
  planCommand,
  pullCommand,
  quantizeCommand,
  dataCommand,
  trainCommand,
  previewFitCommand,
  evalCommand,
  parityCommand,
  doctorCommand,
];

const HELP_FLAG: Flag = { name: 'help', kind: 'switch', value: '', about: 'this text' };

/**
 * Runs one command line (without program name).
 * @returns the exit code: 0 done, 1 failed, 2 bad input, 130 stopped by the signal.
 */
export async function run(argv: readonly string[], world: World): Promise<number> {
  try {
    return await dispatch(argv, world);
  } catch (error) {
    if (argv.includes('--json') && error instanceof StepVideoError) {
      const { kind, op, rule, got, hint, message } = error;
      world.print(JSON.stringify({ type: 'error', kind, op, rule, got, hint, message }));
    } else world.note(errorText(error));
    return exitCode(error, world.signal);
  }
}

async function dispatch(argv: readonly string[], world: World): Promise<number> {
  const [first, ...rest] = argv;
  if (first === undefined || first === 'help' || first === '--help' || first === '-h') {
    world.print(helpText(COMMANDS, world.program, first === 'help' ? rest[0] : undefined));
    return 0;
  }
  const named = COMMANDS.find(({ name }) => name === first);
  // A lone word close to a command is a slip of the finger, not a prompt.
  if (
    !named &&
    rest.length > 0 &&
    !rest[0]!.startsWith('-') &&
    nearestName(
      first,
      COMMANDS.map(({ name }) => name),
    )
  ) {
    throw unknownCommand(COMMANDS, first);
  }
  const command = named ?? COMMANDS[0]!;
  const { values, words } = parseFlags(command.name, named ? rest : argv, [...command.flags, HELP_FLAG]);
  if (values.help) {
    world.print(helpText(COMMANDS, world.program, command.name));
    return 0;
  }
  return command.run({ values, words, world });
}

function errorText(error: unknown): string {
  if (error instanceof StepVideoError) return error.message;
  // Not one of ours: the stack is what a bug report needs.
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function exitCode(error: unknown, signal: AbortSignal): number {
  if (signal.aborted) return 130;
  return error instanceof StepVideoError && error.kind === 'input' ? 2 : 1;
}
