/** A pull in a process of its own, to be killed or to run beside another: argument and output are JSON, a line an event. */
import { pull } from '../../src/pull.ts';

const { request, options } = JSON.parse(process.argv[2]!);
const show = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);
try {
  show({ type: 'done', ...(await pull(request, { ...options, onEvent: show })) });
} catch (error) {
  const { kind, message } = error as Error & { kind?: string };
  show({ type: 'error', kind, message });
}
