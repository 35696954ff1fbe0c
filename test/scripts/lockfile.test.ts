/** The lockfile, as `npm ci` needs it on every platform: complete, pinned, free of registry hosts. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

type Entry = {
  version?: string;
  resolved?: string;
  integrity?: string;
  optionalDependencies?: Record<string, string>;
};
const read = (file: string) => JSON.parse(readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'));
const packages: Record<string, Entry> = read('package-lock.json').packages;

/** Where Node would find `name` from the package at `from`. */
function isLocked(from: string, name: string): boolean {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules/'))).replace(/\/$/, '')) {
    if (packages[at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`] !== undefined) return true;
    if (at === '') return false;
  }
}

it('holds the binaries of every platform, which an install over existing node_modules leaves out', () => {
  const missing = Object.entries(packages).flatMap(([at, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !isLocked(at, name))
      .map((name) => `${name} of ${at}`),
  );
  expect(missing).toEqual([]);
  expect(Object.keys(packages).filter((at) => at.includes('@biomejs/cli-')).length).toBeGreaterThan(4);
});

it('names no registry and has a hash for every package', () => {
  const entries = Object.entries(packages).filter(([at]) => at !== '');
  expect(entries.filter(([, { resolved }]) => resolved !== undefined).map(([at]) => at)).toEqual([]);
  expect(entries.filter(([, { integrity }]) => integrity === undefined).map(([at]) => at)).toEqual([]);
});

it('pins the versions that package.json asks for exactly', () => {
  const { dependencies, devDependencies, optionalDependencies } = read('package.json');
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })) {
    expect(version, name).toMatch(/^\d+\.\d+\.\d+$/);
    expect(packages[`node_modules/${name}`]?.version, name).toBe(version);
  }
});
