/**
 * What a source file must look like: length, header, names, no leftovers. Rules over (path, text); reads nothing.
 */
import path from 'node:path';

/** Lines that a file may have; anything longer holds two ideas. */
export const MAX_LINES = 400;

/** Names that say nothing about what is inside. */
const VAGUE = new Set(['utils', 'util', 'helpers', 'helper', 'misc', 'common', 'shared', 'stuff', 'lib']);

/** Code folders: everything here follows all rules. */
const CODE = /^(src|test|scripts|bench|examples|runs)\/.*\.ts$|^[^/]+\.ts$/;

/** What is wrong with one text file of the repository; empty when nothing is. */
export function fileProblems(file: string, text: string): string[] {
  const problems: string[] = [];
  const parts = file.split('/');
  const stems = parts.map((part) => part.replace(/\.[^.]*$/, '').toLowerCase());
  const vague = stems.find((stem) => VAGUE.has(stem));
  if (vague !== undefined) problems.push(`${file}: ${vague} is not a name of an idea`);
  if (!CODE.test(file)) return problems;

  const stem = path.basename(file).replace(/(\.(test|config|d|bench))?\.ts$/, '');
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(stem)) problems.push(`${file}: file names are kebab-case`);
  const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
  if (lines > MAX_LINES) problems.push(`${file}: ${lines} lines, at most ${MAX_LINES}`);
  // What a test file does, its describe and it lines say.
  if (!file.endsWith('.test.ts') && !/^(#![^\n]*\n)?\s*\/\*\*[\s\S]{20,}?\*\//.test(text))
    problems.push(`${file}: no header comment that says what it does`);
  const leftover = /\b(TODO|FIXME|XXX|HACK)\b/.exec(text);
  if (leftover && !file.includes('file-rules')) problems.push(`${file}: ${leftover[1]} left over`);
  const loosened = /@ts-(ignore|nocheck)|biome-ignore-(all|start)/.exec(text);
  if (loosened && !file.includes('file-rules')) problems.push(`${file}: a check is switched off (${loosened[0]})`);
  return problems;
}
