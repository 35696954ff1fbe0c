/**
 * Which directory a model's name or path means: one that is there, a shipped model, or one pulled from a hub. Does not
 * look inside it, nor at the network.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { inputError } from './errors.ts';
import { pulledSnapshot } from './hub/cache-paths.ts';
import { isRepositoryName } from './hub/hub.ts';
import { nearestName } from './nearest.ts';

/** Beside src/ in a clone and beside dist/ in an installed package. */
const SHIPPED = fileURLToPath(new URL('../models', import.meta.url));

const DEFAULT_MODEL = 'mini';

/** Names of the models that come with the package; what judges clips lies beside them and is none. */
function shippedModels(): string[] {
  if (!existsSync(SHIPPED)) return [];
  return readdirSync(SHIPPED).filter((name) => existsSync(path.join(SHIPPED, name, 'model_index.json')));
}

/**
 * The directory of `model`: a path, the name of a shipped model, or OWNER/NAME as `pull` takes it; the mini model when
 * absent. A directory comes before a pulled model of the same name.
 * @throws input error when there is no such directory.
 */
export function modelDirectory(model: string = DEFAULT_MODEL): string {
  const names = shippedModels();
  const directory = names.includes(model) ? path.join(SHIPPED, model) : path.resolve(model);
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return directory;
  const pulled = pulledSnapshot(model);
  if (pulled !== undefined) return pulled;
  const shipped = names.length === 0 ? 'none is' : names.join(', ');
  const rule = `model must be a checkpoint directory or a shipped model (shipped: ${shipped})`;
  if (!isRepositoryName(model)) throw inputError('generate', rule, model, nearestName(model, names));
  throw inputError('generate', `${rule}, or have been pulled`, model, `step-video pull ${model}`);
}
