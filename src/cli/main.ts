#!/usr/bin/env node
/**
 * The program: connects the process (arguments, streams, Ctrl-C, exit code) with `run`. Nothing else.
 */
import { needsFreeingProcess, onOrphaned, runFreeing } from './freeing-process.ts';
import { run } from './run.ts';

const argv = process.argv.slice(2);
// A program that was asked to keep to a bound of memory begins again where it can.
if (needsFreeingProcess(argv, process)) process.exit(await runFreeing(argv));

const stopping = new AbortController();
let stoppedAt = 0;
process.on('SIGINT', () => {
  // A terminal and its npm may each pass on one Ctrl-C; a second one a moment later is meant.
  if (stoppedAt !== 0 && Date.now() - stoppedAt > 1000) process.exit(130);
  if (stoppedAt === 0) process.stderr.write('\nstopping after this step (Ctrl-C again: at once)\n');
  stoppedAt ||= Date.now();
  stopping.abort();
});
process.on('SIGTERM', () => stopping.abort());
onOrphaned(() => stopping.abort());
// A closed pipe (`| head`) is the reader's choice, not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exitCode = await run(argv, {
  print: (line) => process.stdout.write(`${line}\n`),
  note: (line) => process.stderr.write(`${line}\n`),
  terminal: process.stderr.isTTY ? process.stderr : undefined,
  signal: stopping.signal,
  program: process.env.npm_lifecycle_event === 'start' ? 'npm start --' : 'step-video',
});
