/**
 * An official-layout checkpoint directory: where each component's files are, and which names in them become which module names.
 * Hands out tensors and configs; does not build models.
 */
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { checkpointError } from '../errors.ts';
import { type Component, type ComponentConfigs, parseConfig } from './component-config.ts';
import { missingFileError } from './file-errors.ts';
import { expectedTensors } from './manifest.ts';
import { matchExpected } from './match.ts';
import type { TensorEntry, TensorSource } from './tensor-entry.ts';
import { inferVaeConfig } from './vae-manifest.ts';
import { openWeights } from './weight-file.ts';

/** Folder of each component inside a checkpoint, and the file names (without ending) that its weights may have, preferred first. */
const layout: { readonly [C in Component]: { folder: string; stems: readonly string[] } } = {
  transformer: { folder: 'transformer', stems: ['diffusion_pytorch_model', 'model'] },
  vae: { folder: 'vae', stems: ['vae_v2', 'diffusion_pytorch_model', 'model'] },
  step_llm: { folder: 'step_llm', stems: ['model', 'pytorch_model'] },
  hunyuan_clip: { folder: 'hunyuan_clip/clip_text_encoder', stems: ['model', 'pytorch_model'] },
};

export type OpenedComponent<C extends Component> = {
  readonly component: C;
  /** Tensors under module names. */
  readonly source: TensorSource;
  /** Checked config.json; the VAE's is inferred from shapes where it has none. */
  readonly config: ComponentConfigs[C];
  /** Names in the file that belong to other models and are not handed out (CLIP only). */
  readonly skipped: readonly string[];
  /** Files that hold the weights. */
  readonly files: readonly string[];
};

/** Name, without ending, of the weights that this project writes for a component. */
export const layoutStem = (component: Component): string => layout[component].stems[0] as string;

/** Folder of a component in checkpoint directory `dir`. */
export const componentFolder = (dir: string, component: Component): string => join(dir, layout[component].folder);

/** Folder of a component inside a checkpoint, and the names that its weight file (or index) may have, preferred first. */
export function weightFileNames(component: Component): { folder: string; names: readonly string[] } {
  const { folder, stems } = layout[component];
  const names = [
    ...stems.flatMap((stem) => [`${stem}.safetensors`, `${stem}.safetensors.index.json`]),
    ...stems.map((stem) => `${stem}.bin`),
  ];
  return { folder, names };
}

/**
 * Opens one component of checkpoint directory `dir`: finds its files (safetensors, sharded or whole, before pickled ones), checks
 * their headers, reads the config, applies the key fix-ups. Tensors stay on disk. `checkComponent` then holds names and shapes
 * against the config. Throws a checkpoint error that names the file and what to do.
 */
export async function openComponent<C extends Component>(dir: string, component: C): Promise<OpenedComponent<C>> {
  const folder = componentFolder(dir, component);
  return openComponentFile(await findWeights(folder, component), component);
}

/** As `openComponent`, from the weight file itself (or the index of its shards); the config is `given`, or lies beside it. */
export async function openComponentFile<C extends Component>(
  path: string,
  component: C,
  given?: unknown,
): Promise<OpenedComponent<C>> {
  const weights = await openWeights(path);
  const { tensors, skipped } = toModuleNames(component, weights.path, weights.tensors);
  const config =
    given === undefined
      ? await readConfig(component, join(dirname(path), 'config.json'), { path, tensors })
      : parseConfig(component, given, path);
  return { component, source: { ...weights, tensors }, config, skipped, files: weights.files };
}

/** Throws one checkpoint error unless the component holds exactly the tensors that its config asks for. */
export function checkComponent<C extends Component>({ component, config, source }: OpenedComponent<C>): void {
  matchExpected(expectedTensors(component, config), source);
}

/** The module's name for a tensor called `name` in a file; undefined if it belongs to no module. `prefixed`: CLIP keys begin with `bert.`. */
function moduleName(component: Component, name: string, prefixed: boolean): string | undefined {
  if (component === 'vae') return name.replace(/^decoder\.conv_out\.(weight|bias)$/, 'decoder.conv_out.conv.$1');
  if (component !== 'hunyuan_clip') return name;
  // Where the encoder has its prefix, whatever lies outside is another model's (heads, projections).
  if (prefixed && !name.startsWith('bert.')) return undefined;
  const inner = prefixed ? name.slice('bert.'.length) : name;
  return /^(cls|pooler)\.|(^|\.)position_ids$/.test(inner) ? undefined : inner;
}

/** The name under which a module's tensor is stored in an official-layout file; the inverse of the fix-ups on loading. */
export function checkpointName(component: Component, name: string): string {
  if (component === 'vae') return name.replace(/^decoder\.conv_out\.conv\./, 'decoder.conv_out.');
  return component === 'hunyuan_clip' ? `bert.${name}` : name;
}

function toModuleNames(component: Component, path: string, stored: ReadonlyMap<string, TensorEntry>) {
  const prefixed = [...stored.keys()].some((name) => name.startsWith('bert.'));
  const tensors = new Map<string, TensorEntry>();
  const skipped: string[] = [];
  for (const entry of stored.values()) {
    const name = moduleName(component, entry.name, prefixed);
    if (name === undefined) skipped.push(entry.name);
    else if (tensors.has(name))
      throw checkpointError(
        `checkpoint ${path}`,
        `${name} must be stored once`,
        `${entry.name} as well`,
        'removing one of the two',
      );
    else tensors.set(name, { ...entry, name });
  }
  return { tensors, skipped };
}

/** Path of the weight file (or index) in a component's folder; throws a checkpoint error that lists the names it may have. */
export async function findWeights(folder: string, component: Component): Promise<string> {
  const present = await readdir(folder).catch((error) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw missingFileError('checkpoint', folder, error);
    throw checkpointError(
      `checkpoint ${folder}`,
      `the ${component} component must have its folder`,
      'nothing there',
      'a checkpoint directory in the official layout',
    );
  });
  const candidates = weightFileNames(component).names;
  const found = candidates.find((name) => present.includes(name));
  if (found !== undefined) return join(folder, found);
  const hint =
    component === 'vae' && present.includes('vae.safetensors')
      ? 'vae_v2.safetensors; vae.safetensors is the older 4x8x8 model'
      : `downloading ${candidates[1]} with its shards, or ${candidates[0]}`;
  throw checkpointError(
    `checkpoint ${folder}`,
    `the ${component} component must have one of ${candidates.join(', ')}`,
    present.length === 0 ? 'an empty folder' : present.join(', '),
    hint,
  );
}

async function readConfig<C extends Component>(
  component: C,
  file: string,
  weights: Pick<TensorSource, 'path' | 'tensors'>,
): Promise<ComponentConfigs[C]> {
  const text = await readFile(file, 'utf8').catch((error) => {
    if (component === 'vae' && error.code === 'ENOENT') return undefined;
    throw missingFileError('config', file, error);
  });
  if (text === undefined) return parseConfig(component, inferVaeConfig(weights.tensors, weights.path), weights.path);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw checkpointError(
      `config ${file}`,
      'this must be valid JSON',
      (error as Error).message,
      'downloading it again',
    );
  }
  return parseConfig(component, json, file);
}
