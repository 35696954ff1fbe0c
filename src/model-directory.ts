/**
 * Which directory a model's name or path means. Does not look inside it.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { inputError } from './errors.ts';
import { nearestName } from './nearest.ts';

/** Beside src/ in a clone and beside dist/ in an installed package. */
const SHIPPED = fileURLToPath(new URL('../models', import.meta.url));

const DEFAULT_MODEL = 'mini';

/** Names of the models that come with the package. */
function shippedModels(): string[] {
  if (!existsSync(SHIPPED)) return [];
  return readdirSync(SHIPPED, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

/**
 * The directory of `model`: a path, or the name of a shipped model; the mini model when absent.
 * @throws input error when there is no such directory.
 */
export function modelDirectory(model: string = DEFAULT_MODEL): string {
  const names = shippedModels();
  const directory = names.includes(model) ? path.join(SHIPPED, model) : path.resolve(model);
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return directory;
  const shipped = names.length === 0 ? 'none is' : names.join(', ');
  const rule = `model must be a checkpoint directory or a shipped model (shipped: ${shipped})`;
  throw inputError('generate', rule, model, nearestName(model, names));
}
