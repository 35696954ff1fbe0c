import { expect, it } from 'vitest';
import type { Executable } from '../../src/runtime/compile.ts';
import { compileCache } from '../../src/runtime/compile-cache.ts';

it('builds each key once, disposes the least recently used, and forgets what failed', async () => {
  const log: string[] = [];
  const cache = compileCache<'y'>(2);
  const get = (key: string) =>
    cache.get(key, async () => {
      log.push(`build ${key}`);
      if (key === 'bad') throw new Error('no');
      return { dispose: async () => void log.push(`drop ${key}`) } as unknown as Executable<'y'>;
    });
  const [first, same] = await Promise.all([get('a'), get('a')]);
  expect(first).toBe(same);
  await get('b');
  await get('a');
  await get('c');
  expect(log).toEqual(['build a', 'build b', 'build c', 'drop b']);
  await expect(get('bad')).rejects.toThrow('no');
  await expect(get('bad')).rejects.toThrow('no');
  expect(log.filter((line) => line === 'build bad')).toHaveLength(2);
  await cache.dispose();
  expect(log.filter((line) => line.startsWith('drop')).sort()).toEqual(['drop a', 'drop b', 'drop c']);
});
