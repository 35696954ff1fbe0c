/**
 * Walks runs/mini.sh from its first command to its last in a folder of its own, each stage at its full sizes but for a few steps on
 * a few clips: shows that the stages follow from one another. What they learn is nothing.
 *
 *   node --import tsx scripts/rehearse-mini.ts
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const FEW = { steps: 2, validateSteps: 2, sampleSteps: 2, previewClips: 1 };
const CLIPS = 16;

type Config = Record<string, unknown> & { buckets: readonly Record<string, unknown>[] };

const folder = mkdtempSync(path.join(tmpdir(), 'rehearse-mini-'));
try {
  for (const name of ['src', 'scripts', 'models', 'node_modules', 'package.json', 'tsconfig.json'])
    symlinkSync(path.resolve(name), path.join(folder, name));
  for (const name of ['cache', 'docs']) mkdirSync(path.join(folder, name));
  if (existsSync('cache/data')) symlinkSync(path.resolve('cache/data'), path.join(folder, 'cache/data'));
  cpSync('runs', path.join(folder, 'runs'), { recursive: true });
  for (const name of readdirSync('runs').filter((file) => file.endsWith('.json'))) {
    const config: Config = JSON.parse(readFileSync(path.join('runs', name), 'utf8'));
    const few = Object.entries(FEW).filter(([field]) => field in config || field === 'steps');
    const buckets = config.buckets.map((bucket) => ({ ...bucket, ...('clips' in bucket && { clips: CLIPS }) }));
    writeFileSync(path.join(folder, 'runs', name), JSON.stringify({ ...config, ...Object.fromEntries(few), buckets }));
  }
  const { status } = spawnSync('bash', ['runs/mini.sh', '--triples', '2'], { cwd: folder, stdio: 'inherit' });
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true });
}
