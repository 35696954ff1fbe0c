/**
 * Runs benches one after another, each in a process of its own so that none inherits another's memory: all, or those named.
 *
 *   npm run bench [-- [NAME …] [--rounds N] [--threads N] [--tiny] …]
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { inputError } from '../src/errors.ts';
import { nearestName } from '../src/nearest.ts';
import { FREEING_ENVIRONMENT } from '../src/runtime/freed-memory.ts';

/** In the order in which all are run; those with flags take the ones given here, and `alone` ones run only when named. */
const BENCHES: Readonly<Record<string, 'flags' | 'none' | 'alone'>> = {
  matmul: 'none',
  ops: 'none',
  'dit-step': 'flags',
  'vae-decode': 'flags',
  'vae-memory': 'flags',
  'step-cache': 'flags',
  'train-step': 'flags',
  generate: 'flags',
  quantized: 'flags',
  streamed: 'flags',
  'stream-overlap': 'flags',
  'versus-pytorch': 'alone',
};

const argv = process.argv.slice(2);
const firstFlag = argv.findIndex((word) => word.startsWith('-'));
const named = firstFlag < 0 ? argv : argv.slice(0, firstFlag);
const known = Object.keys(BENCHES);
for (const name of named)
  if (!known.includes(name))
    throw inputError('bench', `must be one of ${known.join(', ')}`, name, nearestName(name, known));

for (const name of named.length > 0 ? named : known.filter((each) => BENCHES[each] !== 'alone')) {
  const code = await run(name, BENCHES[name] === 'none' ? [] : argv.slice(named.length));
  if (code !== 0) process.exitCode = 1;
}

function run(name: string, flags: readonly string[]): Promise<number | null> {
  const file = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
  // As the program runs itself where memory is bounded.
  const env = { ...process.env, ...(name === 'streamed' && FREEING_ENVIRONMENT) };
  const child = spawn(process.execPath, ['--import', 'tsx', file, ...flags], { stdio: 'inherit', env });
  return new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
}
