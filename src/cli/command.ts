/**
 * What a command is, and the world that it runs in. Knows no command.
 */
import type { Flag } from './flags.ts';

/** Output and cancellation, handed in so that tests can run commands in memory. */
export type World = {
  /** Results: the path of a video, a table, JSON lines. */
  print(line: string): void;
  /** Everything for the eye alone: progress, warnings, errors. */
  note(line: string): void;
  /** Where bars may be drawn; undefined where there is no terminal. */
  terminal: NodeJS.WriteStream | undefined;
  /** Fires on Ctrl-C. */
  signal: AbortSignal;
  /** How the program was started, for commands that the user is told to type. */
  program: string;
};

/** What the user gave to a command, flags already split from words. */
export type Invocation = { values: Record<string, string | number | boolean>; words: string[]; world: World };

export type Command = {
  name: string;
  /** Words after the name, as in a usage line. */
  usage: string;
  about: string;
  flags: readonly Flag[];
  /** @returns the exit code. Errors are thrown, not printed. */
  run(invocation: Invocation): Promise<number>;
};
