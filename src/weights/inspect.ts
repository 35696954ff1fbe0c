/**
 * What is in a weight file or a checkpoint directory, and whether it is what the config asks for: facts for `step-video inspect`.
 * Reads headers only, never tensor data; formatting is in format-inspection.ts.
 */
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { inputError, StepVideoError } from '../errors.ts';
import { componentFolder, findWeights, openComponentFile } from './checkpoint.ts';
import { type Component, components } from './component-config.ts';
import { expectedTensors } from './manifest.ts';
import { compareTensors, type Match } from './match.ts';
import { elementCount, storageName, storedBytes, type TensorEntry } from './tensor-entry.ts';
import { isWeightFile, openWeights, type WeightFile } from './weight-file.ts';

export type TensorReport = {
  readonly name: string;
  /** Element type as stored: `BF16`, or the scheme of a quantized weight, whose shape and parameters are its own. */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  readonly parameters: number;
};

export type FileReport = {
  readonly file: string;
  /** Size on disk. */
  readonly bytes: number;
  readonly format?: WeightFile['format'];
  readonly metadata?: Readonly<Record<string, string>>;
  /** Sorted by name. */
  readonly tensors: readonly TensorReport[];
  readonly parameters: number;
  /** Why the file cannot be read; its tensors are then unknown. */
  readonly error?: string;
};

export type ComponentReport = {
  readonly component: Component;
  readonly path: string;
  readonly match?: Match;
  readonly skipped: readonly string[];
  /** Why it cannot be matched. */
  readonly error?: string;
};

export type Inspection = {
  readonly path: string;
  readonly files: readonly FileReport[];
  readonly components: readonly ComponentReport[];
  readonly totals: {
    readonly files: number;
    readonly tensors: number;
    readonly parameters: number;
    readonly bytes: number;
    readonly parametersByDtype: Readonly<Record<string, number>>;
  };
  /** True where every file can be read and every component matches its config completely. */
  readonly complete: boolean;
};

/**
 * Inspects a weight file, one component's folder, a whole checkpoint directory, or any folder of weight files. Broken files are
 * reported, not thrown; throws an input error only where `path` is missing or holds no weights.
 */
export async function inspect(path: string): Promise<Inspection> {
  const found = await stat(path).catch(() => {
    throw inputError(`inspect ${path}`, 'the path must exist', 'nothing there');
  });
  if (!found.isDirectory()) return inspectFile(path);

  const roots: Component[] = [];
  for (const component of components) if (await isFolder(componentFolder(path, component))) roots.push(component);
  if (roots.length > 0) {
    const folders = roots.map((component) => componentFolder(path, component));
    const files = (await Promise.all(folders.map(weightFilesIn))).flat();
    const reports = await Promise.all(
      components.map((component) => reportFolder(componentFolder(path, component), component)),
    );
    return summarize(path, await reportFiles(files), reports);
  }
  const files = await weightFilesIn(path);
  if (files.length === 0)
    throw inputError(
      `inspect ${path}`,
      'the folder must hold a checkpoint or weight files',
      'none',
      'a checkpoint directory, or a .safetensors or .bin file',
    );
  const reports = await reportFiles(files);
  const component = detectComponent(reports.flatMap((report) => report.tensors.map(({ name }) => name)));
  return summarize(path, reports, component === undefined ? [] : [await reportFolder(path, component)]);
}

async function inspectFile(path: string): Promise<Inspection> {
  const shards = path.endsWith('.index.json') ? await openWeights(path).catch((error) => messageOf(error)) : undefined;
  // An index that cannot be followed is itself the broken file.
  if (typeof shards === 'string') return summarize(path, [await brokenFile(path, shards)], []);
  const reports = await reportFiles(shards?.files ?? [path]);
  const component = detectComponent(reports.flatMap((report) => report.tensors.map(({ name }) => name)));
  // One shard of many cannot be complete, and a file without a config beside it may be of any size: both are only listed.
  const alone = path.endsWith('.index.json') || !/-\d+-of-\d+\./.test(path);
  const hasConfig =
    component === 'vae' ||
    (await stat(join(dirname(path), 'config.json')).then(
      () => true,
      () => false,
    ));
  const match = component !== undefined && alone && hasConfig;
  return summarize(path, reports, match ? [await reportComponent(path, component)] : []);
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (s) => s.isDirectory(),
    () => false,
  );

async function weightFilesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names
    .filter((name) => isWeightFile(name) && !name.endsWith('.index.json'))
    .sort()
    .map((name) => join(folder, name));
}

const reportFiles = (files: readonly string[]): Promise<FileReport[]> => Promise.all(files.map(reportFile));

const fileSize = (file: string): Promise<number> =>
  stat(file).then(
    (s) => s.size,
    () => 0,
  );

const brokenFile = async (file: string, error: string): Promise<FileReport> => ({
  file,
  bytes: await fileSize(file),
  tensors: [],
  parameters: 0,
  error,
});

async function reportFile(file: string): Promise<FileReport> {
  try {
    const { tensors, format, metadata } = await openWeights(file);
    const reports = [...tensors.values()].map(toReport).sort((a, b) => (a.name < b.name ? -1 : 1));
    return {
      file,
      bytes: await fileSize(file),
      format,
      metadata,
      tensors: reports,
      parameters: sum(reports.map((t) => t.parameters)),
    };
  } catch (error) {
    return brokenFile(file, messageOf(error));
  }
}

const toReport = (entry: TensorEntry): TensorReport => ({
  name: entry.name,
  dtype: storageName(entry),
  shape: entry.shape,
  bytes: storedBytes(entry),
  parameters: elementCount(entry.shape),
});

async function reportFolder(folder: string, component: Component): Promise<ComponentReport> {
  try {
    return await reportComponent(await findWeights(folder, component), component);
  } catch (error) {
    return { component, path: folder, skipped: [], error: messageOf(error) };
  }
}

async function reportComponent(path: string, component: Component): Promise<ComponentReport> {
  try {
    const { source, config, skipped } = await openComponentFile(path, component);
    return { component, path, skipped, match: compareTensors(expectedTensors(component, config), source.tensors) };
  } catch (error) {
    return { component, path, skipped: [], error: messageOf(error) };
  }
}

/** A tensor that only this component has. */
const signatures: { readonly [C in Component]: RegExp } = {
  transformer: /^transformer_blocks\.0\./,
  vae: /^decoder\.conv_unpatchify\./,
  step_llm: /^tok_embeddings\.word_embeddings\.weight$/,
  hunyuan_clip: /^(bert\.)?embeddings\.word_embeddings\.weight$/,
};

/** The component that tensors of these names belong to, as far as one of them tells. */
export const detectComponent = (names: readonly string[]): Component | undefined =>
  components.find((component) => names.some((name) => signatures[component].test(name)));

function summarize(path: string, files: readonly FileReport[], reports: readonly ComponentReport[]): Inspection {
  const tensors = files.flatMap((file) => file.tensors);
  const parametersByDtype: Record<string, number> = {};
  for (const { dtype, parameters } of tensors) parametersByDtype[dtype] = (parametersByDtype[dtype] ?? 0) + parameters;
  return {
    path,
    files,
    components: reports,
    totals: {
      files: files.length,
      tensors: tensors.length,
      parameters: sum(tensors.map((t) => t.parameters)),
      bytes: sum(files.map((file) => file.bytes)),
      parametersByDtype,
    },
    complete:
      files.every((file) => file.error === undefined) &&
      reports.every(({ match }) => match !== undefined && isComplete(match)),
  };
}

/** Nothing missing, left over or misshapen. */
export const isComplete = (match: Match): boolean => match.matched === match.expected && match.extra.length === 0;

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

function messageOf(error: unknown): string {
  if (error instanceof StepVideoError && error.kind === 'checkpoint') return error.message;
  throw error;
}
