/**
 * `npm run check:files`: the file rules over the repository and its size. Prints each problem; exit code 1 if any.
 */
import { readFileSync, statSync } from 'node:fs';
import { fileProblems } from './file-rules.ts';
import { projectFiles } from './source-files.ts';

/** What a clone's tree may weigh, models included. */
const MAX_TREE_BYTES = 60e6;

const files = projectFiles();
const problems: string[] = [];
let bytes = 0;
for (const file of files) {
  bytes += statSync(file).size;
  problems.push(...fileProblems(file, file.endsWith('.ts') ? readFileSync(file, 'utf8') : ''));
}
if (bytes > MAX_TREE_BYTES)
  problems.push(`the tree takes ${(bytes / 1e6).toFixed(1)} MB, at most ${MAX_TREE_BYTES / 1e6}`);
for (const problem of problems) console.error(problem);
console.log(`files: ${files.length} files, ${(bytes / 1e6).toFixed(1)} MB, ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
