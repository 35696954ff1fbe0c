/** The pieces that a pull is made of, one by one: intervals, cache folders, the choice of files, waiting workers. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { getHFHubCachePath, getRepoFolderName } from '@huggingface/hub';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { huggingfaceFolder, huggingfaceRoot, modelscopeRoot, pulledSnapshot } from '../../src/hub/cache-paths.ts';
import { isRepositoryName } from '../../src/hub/hub.ts';
import {
  addInterval,
  type Interval,
  isIntervalSet,
  lengthOf,
  missingIntervals,
  splitIntervals,
} from '../../src/hub/intervals.ts';
import { inParallel } from '../../src/hub/parallel.ts';
import { neededFiles } from '../../src/hub/selection.ts';
import { cacheOfItsOwn, NEEDED, officialNames } from './repository.ts';

describe('intervals', () => {
  const SIZE = 60;
  const pieces = fc.array(
    fc.tuple(fc.nat(SIZE), fc.nat(SIZE)).map(([a, b]): Interval => [Math.min(a, b), Math.max(a, b)]),
  );
  const bytes = (set: readonly Interval[]): number[] =>
    set.flatMap(([start, end]) => Array.from({ length: end - start }, (_, i) => start + i));

  it('hold exactly the bytes that were put in, in one form', () => {
    fc.assert(
      fc.property(pieces, (added) => {
        const set = added.reduce<Interval[]>(addInterval, []);
        expect(bytes(set)).toEqual([...new Set(bytes(added))].sort((a, b) => a - b));
        expect(isIntervalSet(set, SIZE)).toBe(true);
        expect(lengthOf(set)).toBe(bytes(set).length);
        const again = [...added].reverse().reduce<Interval[]>(addInterval, []);
        expect(again).toEqual(set);
      }),
    );
  });

  it('and what they miss are the whole, in pieces of any length', () => {
    fc.assert(
      fc.property(pieces, fc.integer({ min: 1, max: 70 }), (added, most) => {
        const set = added.reduce<Interval[]>(addInterval, []);
        const missing = splitIntervals(missingIntervals(set, SIZE), most);
        expect(missing.every(([start, end]) => start < end && end - start <= most)).toBe(true);
        expect([...bytes(set), ...bytes(missing)].sort((a, b) => a - b)).toEqual(bytes([[0, SIZE]]));
      }),
    );
  });

  it.each([
    [undefined],
    [{}],
    [[[0]]],
    [[[3, 3]]],
    [[[5, 3]]],
    [
      [
        [0, 4],
        [4, 6],
      ],
    ],
    [
      [
        [4, 6],
        [0, 2],
      ],
    ],
    [[[0, 61]]],
    [[[0.5, 2]]],
  ])('are not %j', (value) => expect(isIntervalSet(value, SIZE)).toBe(false));
});

describe('cache folders', () => {
  afterEach(() => vi.unstubAllEnvs());
  const VARIABLES = ['HF_HOME', 'HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'XDG_CACHE_HOME'];

  it.each<Record<string, string>>([
    {},
    { HF_HOME: '/a/home' },
    { XDG_CACHE_HOME: '/x' },
    { HF_HOME: '/a/home', HF_HUB_CACHE: '/b' },
    { HF_HOME: '/a/home', HUGGINGFACE_HUB_CACHE: '/c' },
    { HF_HUB_CACHE: '/b', HUGGINGFACE_HUB_CACHE: '/c' },
  ])('of Hugging Face are those of its library with %j', (env) => {
    for (const name of VARIABLES) vi.stubEnv(name, env[name]);
    expect(huggingfaceRoot(env)).toBe(getHFHubCachePath());
    const folder = getRepoFolderName({ type: 'model', name: 'stepfun-ai/stepvideo-t2v' });
    expect(huggingfaceFolder(env, 'stepfun-ai/stepvideo-t2v')).toBe(join(getHFHubCachePath(), folder));
  });

  it('of ModelScope follow MODELSCOPE_CACHE', () => {
    expect(modelscopeRoot({})).toBe(join(homedir(), '.cache', 'modelscope'));
    expect(modelscopeRoot({ MODELSCOPE_CACHE: '/m' })).toBe('/m');
    expect(modelscopeRoot({ MODELSCOPE_CACHE: '~/m' })).toBe(join(homedir(), 'm'));
  });

  it('hold a pulled model only when its branch is there', () => {
    const { env } = cacheOfItsOwn('');
    const folder = huggingfaceFolder(env, 'a/b');
    mkdirSync(join(folder, 'snapshots', 'c1', 'vae'), { recursive: true });
    mkdirSync(join(folder, 'refs'));
    expect(pulledSnapshot('a/b', env)).toBeUndefined();
    writeFileSync(join(folder, 'refs', 'main'), 'c1\n');
    expect(pulledSnapshot('a/b', env)).toBe(join(folder, 'snapshots', 'c1'));
    for (const name of ['a', 'a/b/c', '../b', 'a/..', '/a/b', '']) expect(pulledSnapshot(name, env)).toBeUndefined();
  });

  it('of ModelScope whose files are just moving hold none', () => {
    const { env } = cacheOfItsOwn('');
    const folder = join(env.MODELSCOPE_CACHE!, 'models', 'a--b');
    mkdirSync(join(folder, 'snapshots', 'master', 'vae'), { recursive: true });
    expect(pulledSnapshot('a/b', env)).toBe(join(folder, 'snapshots', 'master'));
    mkdirSync(join(folder, '.parts'));
    writeFileSync(join(folder, '.parts', '.moving'), '');
    expect(pulledSnapshot('a/b', env)).toBeUndefined();
  });
});

it('repository names have an owner and a name', () => {
  for (const name of ['stepfun-ai/stepvideo-t2v', 'a_b/C.d-1']) expect(isRepositoryName(name)).toBe(true);
  for (const name of ['mini', './a', '../a', 'a/../b', 'a/b/c', '/a', 'a/', '.a/b', 'a b/c']) {
    expect(isRepositoryName(name)).toBe(false);
  }
});

describe('files that are needed', () => {
  const listed = [...officialNames(10)].map(([path, bytes]) => ({ path, size: bytes.length }));
  const paths = (...args: Parameters<typeof neededFiles>): string[] => neededFiles(...args).map(({ path }) => path);

  it('are those that the loaders open, small ones first', () => {
    const files = neededFiles('r', listed);
    expect(files.map(({ path }) => path).sort()).toEqual([...NEEDED].sort());
    expect(files.map(({ size }) => size)).toEqual(files.map(({ size }) => size).sort((a, b) => a - b));
  });

  it('are the file that a loader prefers, where a repository has several', () => {
    const both = [...listed, { path: 'step_llm/model.safetensors', size: 1 }, { path: 'vae/config.json', size: 1 }];
    expect(paths('r', both, ['step_llm'])).not.toContain('step_llm/model-00001-of-00001.safetensors');
    expect(paths('r', both, ['vae'])).toContain('vae/config.json');
  });

  it('hold every shard that the names count', () => {
    const one = listed.filter(({ path }) => !path.includes('00002-of-00002'));
    expect(() => neededFiles('r', one, ['transformer'])).toThrow(
      'r must hold transformer/diffusion_pytorch_model-00002-of-00002',
    );
    const none = one.filter(({ path }) => !path.includes('-of-'));
    expect(() => neededFiles('r', none, ['transformer'])).toThrow(
      'r must hold transformer/diffusion_pytorch_model-00001-of-',
    );
  });
});

describe('work in parallel', () => {
  it('runs no more than so many at once, each item once', async () => {
    let [now, most] = [0, 0];
    const seen: number[] = [];
    const work = async (item: number): Promise<void> => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, item % 3));
      seen.push(item);
      now -= 1;
    };
    await inParallel(3, [...Array(20).keys()], work, { signal: new AbortController().signal, onFailure() {} });
    expect([most, seen.sort((a, b) => a - b)]).toEqual([3, [...Array(20).keys()]]);
  });

  it('ends with the first failure, after those that had begun', async () => {
    const ended: number[] = [];
    const failures: unknown[] = [];
    const work = async (item: number): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, item === 1 ? 5 : 20));
      if (item === 1) throw new Error('one');
      ended.push(item);
    };
    const { signal } = new AbortController();
    const running = inParallel(2, [0, 1, 2, 3], work, { signal, onFailure: (error) => failures.push(error) });
    await expect(running).rejects.toThrow('one');
    expect([ended, failures.length]).toEqual([[0], 1]);
  });
});
