/** A run of bounded memory as real processes: a child with the allocator's environment, its exit code, and that neither outlives the other. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { needsFreeingProcess } from '../../src/cli/freeing-process.ts';
import { FREEING_ENVIRONMENT } from '../../src/runtime/freed-memory.ts';
import { writeTinyModel } from '../eval/tiny-model.ts';
import { temporaryFolder } from '../weights/temporary.ts';

const program = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const folder = temporaryFolder();
const model = path.join(folder, 'model');
const linux = { platform: 'linux', env: {} } as const;

it.each([
  [['a fox', '--memory', '8GB'], linux, true],
  [['plan', '--memory=8GB'], linux, true],
  [['a fox'], linux, false],
  [['--memory', '8GB'], { platform: 'linux', env: FREEING_ENVIRONMENT }, false],
  [['--memory', '8GB'], { platform: 'darwin', env: {} }, false],
] as const)('%j begins again: %j %s', (argv, where, expected) => {
  expect(needsFreeingProcess(argv, where)).toBe(expected);
});

describe.skipIf(process.platform !== 'linux')('as processes', () => {
  beforeAll(() => writeTinyModel(model));
  const start = (...argv: string[]): ChildProcess =>
    spawn(process.execPath, ['--import', 'tsx', program, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = (child: ChildProcess): Promise<number | null> =>
    new Promise((resolve) => child.once('close', (code) => resolve(code)));
  /** Nine hundred steps: longer than this test looks at it. */
  const long = (name: string): ChildProcess =>
    start(
      'a disk',
      ...'--size 64x64 --frames 17 --steps 900 --memory 8GB --model'.split(' '),
      model,
      '--out',
      path.join(folder, name),
    );
  const childOf = async (parent: ChildProcess): Promise<number> => {
    for (;;) {
      const children = readFileSync(`/proc/${parent.pid}/task/${parent.pid}/children`, 'utf8').trim().split(' ');
      for (const pid of children.filter((text) => text !== ''))
        if (readFileSync(`/proc/${pid}/environ`, 'utf8').includes('MALLOC_MMAP_THRESHOLD_=')) return Number(pid);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const gone = async (pid: number): Promise<void> => {
    while (existsSync(`/proc/${pid}`)) await new Promise((resolve) => setTimeout(resolve, 20));
  };

  it('passes on output and exit code', async () => {
    const child = start('plan', '--memory', '8GB', '--model', model, '--size', '64x64');
    let out = '';
    child.stdout!.on('data', (data) => {
      out += String(data);
    });
    expect(await ended(child)).toBe(0);
    expect(out).toContain('peak');
    expect(await ended(start('plan', '--memory', 'much'))).toBe(2);
  });

  it('stops with the child when told to', async () => {
    const parent = long('told.mp4');
    const pid = await childOf(parent);
    parent.kill('SIGTERM');
    expect(await ended(parent)).not.toBe(0);
    await gone(pid);
  });

  it('is not left behind by its parent', async () => {
    const parent = long('left.mp4');
    const pid = await childOf(parent);
    parent.kill('SIGKILL');
    await gone(pid);
  });
});
