/**
 * `npm run check:layers`: the layer rule and import cycles over `src`. Prints each violation; exit code 1 if any.
 */
import { readFileSync } from 'node:fs';
import { relativeImports } from './imports.ts';
import { importCycles, layerViolation } from './layers.ts';
import { projectFiles } from './source-files.ts';

const files = projectFiles().filter((file) => file.startsWith('src/') && file.endsWith('.ts'));
const known = new Set(files);
const problems: string[] = [];
const graph = new Map<string, string[]>();
for (const file of files) {
  const targets: string[] = [];
  for (const { target, isTypeOnly } of relativeImports(file, readFileSync(file, 'utf8'))) {
    if (!known.has(target)) {
      problems.push(`${file} imports ${target}: not a file of src with its suffix`);
      continue;
    }
    const violation = layerViolation(file, target);
    if (violation !== undefined) problems.push(violation);
    // Types vanish before anything runs: two files may describe each other.
    if (!isTypeOnly) targets.push(target);
  }
  graph.set(file, targets);
}
for (const cycle of importCycles(graph)) problems.push(`import cycle: ${cycle.join(' → ')}`);
for (const problem of problems) console.error(problem);
console.log(`layers: ${files.length} files, ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
