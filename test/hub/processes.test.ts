/** Pulls in processes of their own: one is killed and another goes on, two run at once, a lock outlives its holder. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { lengthOf } from '../../src/hub/intervals.ts';
import { tryLock } from '../../src/hub/lock.ts';
import { type FakeHub, REPOSITORY, startHub } from './hub-server.ts';
import { cacheOfItsOwn, digests, filesBelow, leftovers, officialNames } from './repository.ts';

const SIZE = 4_000_000;
const files = officialNames(SIZE);
const wanted = digests(new Map(['model_index.json', 'vae/vae_v2.safetensors'].map((path) => [path, files.get(path)!])));
const script = fileURLToPath(new URL('pull-process.ts', import.meta.url));

let hub: FakeHub;
const children: ChildProcess[] = [];
beforeAll(async () => {
  hub = await startHub(files);
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await hub.close();
});
afterEach(() => {
  delete hub.faults.hold;
  hub.seenElsewhere.length = 0;
});

type Line = { type: string; directory?: string; fetched?: number; kind?: string; message?: string };

/** A child's events as they come, and how it ended. `shell` runs first in its process. */
function start(from: string, env: Record<string, string>, shell = ':') {
  const request = { repository: REPOSITORY, from, only: ['vae'] };
  const task = JSON.stringify({ request, options: { rangeBytes: 500_000 } });
  const child = spawn('sh', ['-c', `${shell}; exec "$@"`, 'sh', process.execPath, '--import', 'tsx', script, task], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines: Line[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line)));
  const ended = new Promise<Line | undefined>((resolve) => child.on('close', () => resolve(lines.at(-1))));
  return { child, lines, ended };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(20);
}

describe.each(['huggingface', 'modelscope'])('%s', (from) => {
  it('goes on after a kill -9 with what had come, and takes over the lock of the dead', async () => {
    const { env, home } = cacheOfItsOwn(hub.url);
    const enough = hub.sent() + SIZE / 2;
    hub.faults.hold = { after: enough };
    const first = start(from, env);
    const state = (): string | undefined => leftovers(home).find((name) => name.endsWith('.part.json'));
    const recorded = (): number => {
      const name = state();
      return name === undefined ? 0 : lengthOf(JSON.parse(readFileSync(join(home, name), 'utf8')).done);
    };
    await until(() => hub.sent() >= enough && recorded() > SIZE / 4);
    first.child.kill('SIGKILL');
    await first.ended;
    expect(leftovers(home).some((name) => name.endsWith('.lock'))).toBe(true);
    expect([...filesBelow(home).keys()].filter((path) => path.includes('snapshots'))).toEqual([]);

    const kept = recorded();
    delete hub.faults.hold;
    const [sent, done] = [hub.sent(), await start(from, env).ended];
    expect(digests(filesBelow(done!.directory!))).toEqual(wanted);
    expect(done!.fetched).toBe(
      SIZE - kept + (done!.fetched! > SIZE - kept ? files.get('model_index.json')!.length : 0),
    );
    expect(hub.sent() - sent).toBe(SIZE - kept);
    expect(leftovers(home)).toEqual([]);
  });

  it('two at once share the work: every byte comes once, both end with the whole', async () => {
    const { env, home } = cacheOfItsOwn(hub.url);
    const before = hub.sent();
    hub.faults.delay = { milliseconds: 1500, times: 4 };
    const both = [start(from, env), start(from, env)];
    const ends = await Promise.all(both.map(({ ended }) => ended));
    for (const end of ends) expect(digests(filesBelow(end!.directory!))).toEqual(wanted);
    expect(hub.sent() - before).toBe(SIZE);
    expect(both.flatMap(({ lines }) => lines).some(({ type }) => type === 'wait')).toBe(true);
    expect(leftovers(home)).toEqual([]);
  });
});

it('a disk that takes no more is an error that says so, and leaves nothing in the way of the next run', async () => {
  const { env, home } = cacheOfItsOwn(hub.url);
  // Files of at most 1.5 MB: the system refuses to write more, as it does on a full disk.
  const failed = await start('huggingface', env, "trap '' XFSZ; ulimit -f 3000").ended;
  expect(failed).toMatchObject({ type: 'error', kind: 'environment' });
  expect(failed!.message).toMatch(/^pull: \/\S+\.part must be writable, got EFBIG.+ \(try freeing disk space/);
  expect([...filesBelow(home).keys()].filter((path) => path.includes('snapshots'))).toEqual([]);
  const done = await start('huggingface', env).ended;
  expect(digests(filesBelow(done!.directory!))).toEqual(wanted);
});

describe('lock', () => {
  const at = (name: string): string => join(cacheOfItsOwn('').home, name);
  const held = (path: string, holder: object): void => writeFileSync(path, JSON.stringify(holder));
  const aged = (path: string, seconds: number): void => {
    const time = Date.now() / 1000 - seconds;
    utimesSync(path, time, time);
  };

  it('has one holder, and is free again once released', async () => {
    const path = at('a.lock');
    const lock = await tryLock(path);
    expect(lock).toBeDefined();
    expect(await tryLock(path)).toBeUndefined();
    await lock!.release();
    const next = await tryLock(path);
    expect(next).toBeDefined();
    await lock!.release(); // a second release frees nobody else's
    expect(await tryLock(path)).toBeUndefined();
    await next!.release();
  });

  it.each<[string, object, number, boolean]>([
    ['a living process', { pid: process.pid, host: hostname(), id: 'x' }, 30, false],
    ['a living process that has slept', { pid: process.pid, host: hostname(), id: 'x' }, 90, true],
    ['a dead process', { pid: 2 ** 22 + 1, host: hostname(), id: 'x' }, 0, true],
    ['a process of another machine', { pid: 1, host: 'elsewhere', id: 'x' }, 30, false],
    ['a process of another machine, silent for long', { pid: 1, host: 'elsewhere', id: 'x' }, 90, true],
    ['nobody that can be read, just written', {}, 0, false],
    ['nobody that can be read, long ago', {}, 90, true],
  ])('of %s', async (_name, holder, seconds, isTaken) => {
    const path = at('b.lock');
    held(path, holder);
    aged(path, seconds);
    const lock = await tryLock(path);
    expect(lock !== undefined).toBe(isTaken);
    await lock?.release();
  });

  it('of a dead process goes to one of many that want it', async () => {
    const path = at('c.lock');
    held(path, { pid: 2 ** 22 + 1, host: hostname(), id: 'x' });
    const locks = await Promise.all(Array.from({ length: 20 }, () => tryLock(path)));
    expect(locks.filter((lock) => lock !== undefined).length).toBe(1);
  });
});
