/**
 * Which files of a repository in the official layout are needed to run it: those that the loaders open, and no more
 * (an official repository also holds compiled libraries, an older VAE and pictures). Works on names alone.
 */
import { inputError } from '../errors.ts';
import { weightFileNames } from '../weights/checkpoint.ts';
import { type Component, components } from '../weights/component-config.ts';
import { type HubFile, OP } from './hub.ts';

/** Small files of each component besides weights and `config.json`; those marked must be there. */
const BESIDE: Readonly<Record<Component, readonly { path: string; must: boolean }[]>> = {
  transformer: [],
  vae: [],
  step_llm: [{ path: 'step_llm/step1_chat_tokenizer.model', must: true }],
  hunyuan_clip: [
    { path: 'hunyuan_clip/tokenizer/vocab.txt', must: true },
    { path: 'hunyuan_clip/tokenizer/tokenizer_config.json', must: false },
    { path: 'hunyuan_clip/tokenizer/special_tokens_map.json', must: false },
  ],
};

/** Files at the top that say what the model is: the official index, and how it samples. */
const TOP = ['model_index.json', 'step_video.json'];

/**
 * The files of `files` that `only` (all components when absent) needs, small ones first.
 * @throws input error naming the first file that the repository `name` lacks.
 */
export function neededFiles(
  name: string,
  files: readonly HubFile[],
  only: readonly Component[] = components,
): HubFile[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const take = (path: string): HubFile => {
    const file = byPath.get(path);
    if (file === undefined) throw lacking(name, path, only);
    return file;
  };
  const optional = (path: string): HubFile[] => (byPath.has(path) ? [take(path)] : []);
  const needed = only.flatMap((component) => [
    ...weightsOf(name, component, byPath, only).map(take),
    ...BESIDE[component].flatMap(({ path, must }) => (must ? [take(path)] : optional(path))),
  ]);
  return [...TOP.flatMap(optional), ...needed].sort((a, b) => a.size - b.size || (a.path < b.path ? -1 : 1));
}

/** Weights of a component, with config and shards; the same file is preferred that a loader would open. */
function weightsOf(
  name: string,
  component: Component,
  byPath: ReadonlyMap<string, HubFile>,
  only: readonly Component[],
): string[] {
  const { folder, names } = weightFileNames(component);
  const weights = names.find((file) => byPath.has(`${folder}/${file}`));
  if (weights === undefined) throw lacking(name, `${folder}/ with one of ${names.join(', ')}`, only);
  const config = `${folder}/config.json`;
  // The VAE's config is inferred from its weights where it has none.
  const configs = component === 'vae' && !byPath.has(config) ? [] : [config];
  const stem = weights.endsWith('.index.json') ? weights.replace('.safetensors.index.json', '') : undefined;
  if (stem === undefined) return [...configs, `${folder}/${weights}`];
  const shards = [...byPath.keys()].filter((path) => shardCount(path, `${folder}/${stem}`) !== undefined);
  const count = shardCount(shards[0] ?? '', `${folder}/${stem}`) ?? 1;
  const numbered = Array.from({ length: count }, (_, i) => {
    const [number, of] = [i + 1, count].map((each) => String(each).padStart(5, '0'));
    return `${folder}/${stem}-${number}-of-${of}.safetensors`;
  });
  return [...configs, `${folder}/${weights}`, ...numbered];
}

/** N of a shard `STEM-00001-of-0000N.safetensors`. */
function shardCount(path: string, stem: string): number | undefined {
  if (!path.startsWith(`${stem}-`)) return undefined;
  const match = /^-\d{5}-of-(\d{5})\.safetensors$/.exec(path.slice(stem.length));
  return match ? Number(match[1]) : undefined;
}

function lacking(name: string, what: string, only: readonly Component[]): Error {
  const hint = only.length > 1 ? '--only with the components that it has' : 'another repository';
  return inputError(OP, `${name} must hold ${what}`, undefined, hint);
}
