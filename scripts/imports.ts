/**
 * Which of our files a source file imports: a scanner for the one style that this project writes (static and dynamic
 * imports with a literal relative path and its `.ts` suffix). Does not parse TypeScript and judges nothing.
 */
import path from 'node:path';

/** One relative import: the file that it names, and whether only types are taken. */
export type Import = { target: string; isTypeOnly: boolean };

const STATEMENT =
  /(?:^|[\n;])\s*(?:import|export)(\s+type)?\s+(?:[^'";]*?\sfrom\s+)?['"](\.{1,2}\/[^'"]+)['"]|(?<![.\w])import\(\s*['"](\.{1,2}\/[^'"]+)['"]\s*\)/g;

/** Relative imports of the source `text` of `file`, targets resolved to paths like that of `file`. */
export function relativeImports(file: string, text: string): Import[] {
  return [...withoutComments(text).matchAll(STATEMENT)].map((match) => ({
    target: path.join(path.dirname(file), (match[2] ?? match[3])!),
    isTypeOnly: match[1] !== undefined,
  }));
}

/** Strings and templates stay, so that a `//` inside one does not open a comment. */
const withoutComments = (text: string): string =>
  text.replace(
    /('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (_, kept) => kept ?? ' ',
  );
