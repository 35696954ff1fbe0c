/**
 * A checkpoint directory → another one whose text encoders and denoiser are quantized; everything else is linked or copied.
 * Works in `OUT.partial`, which becomes OUT when it is whole: a killed run can go on, and half a model is never found.
 */
import { constants, type Dirent } from 'node:fs';
import { copyFile, link, mkdir, readdir, realpath, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { inputError, StepVideoError } from '../errors.ts';
import { checkComponent, componentFolder, type OpenedComponent, openComponent } from './checkpoint.ts';
import { QUANTIZED_COMPONENTS, QUANTIZED_FORMS, type QuantizedComponent, type Scheme } from './quantization.ts';
import { quantizeComponent, quantizedBytes } from './quantize-component.ts';
import { isWeightFile } from './weight-file.ts';

export type QuantizeCheckpointOptions = {
  readonly to: Scheme;
  /** The new directory; DIR-int8 or DIR-int4 beside the old one unless told. Must not exist. */
  readonly out?: string | undefined;
  /** Bytes of one shard at most, 5 GB unless told. */
  readonly shardBytes?: number | undefined;
  /** Stops within some rows of a tensor; the next call goes on from the last whole shard. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: QuantizeProgress) => void) | undefined;
};

/** Bytes of source tensors done with, of one component. */
export type QuantizeProgress = {
  readonly component: QuantizedComponent;
  readonly done: number;
  readonly total: number;
};

/** Bytes of one component's tensors before and after. */
export type QuantizedSize = {
  readonly component: QuantizedComponent;
  readonly sourceBytes: number;
  readonly bytes: number;
};

export type QuantizedCheckpoint = {
  readonly out: string;
  /** `kept`: shards of an earlier call that needed no work. */
  readonly components: readonly (QuantizedSize & { readonly kept: number })[];
  /** Weight files that both directories now share, and other files copied; relative paths. */
  readonly linked: readonly string[];
  readonly copied: readonly string[];
};

/** Room for headers, indices, configs and tokenizers beside the tensors. */
const SPARE_BYTES = 16e6;

/**
 * Quantizes every component of `dir` that can be: Step-LLM, Hunyuan-CLIP and the transformer, as far as they are there.
 * @throws before any work: input error where `out` exists or the source is quantized itself, checkpoint error for a source that is
 * not whole, environment error where the disk has no room. Later: as `quantizeComponent`.
 */
export async function quantizeCheckpoint(
  dir: string,
  options: QuantizeCheckpointOptions,
): Promise<QuantizedCheckpoint> {
  const source = resolve(dir);
  const out = resolve(options.out ?? `${source}-${options.to}`);
  const partial = `${out}.partial`;
  if (out === source || (await exists(out)))
    throw inputError('quantize', 'the output must be a new directory', out, '--out with another name');
  const opened = await openSource(source);
  const form = QUANTIZED_FORMS[options.to];
  try {
    const others = await otherFiles(source, opened);
    const sizes = opened.map((each) => sizeOf(each, options.to));
    await mkdir(partial, { recursive: true });
    await checkRoom(partial, { source, others, bytes: sizes.reduce((n, { bytes }) => n + bytes, 0) });
    await removeUnfinished(partial);
    const { linked, copied } = await bringOver(source, partial, others);
    const components = [];
    for (const [i, { component, source: tensors }] of opened.entries()) {
      const folder = componentFolder(partial, component);
      await mkdir(folder, { recursive: true });
      const size = sizes[i] as QuantizedSize;
      let done = 0;
      const onBytes = (bytes: number): void => {
        done += bytes;
        options.onProgress?.({ component, done, total: size.sourceBytes });
      };
      const { kept } = await quantizeComponent(folder, { ...options, component, source: tensors, form, onBytes });
      components.push({ ...size, kept });
    }
    for (const { component } of opened) checkComponent(await openComponent(partial, component));
    await rename(partial, out);
    return { out, components, linked, copied };
  } finally {
    for (const { source: tensors } of opened) await tensors.close();
  }
}

/** What `quantizeCheckpoint` would write, from headers alone. Throws as it does before any work. */
export async function quantizedSizes(dir: string, to: Scheme): Promise<QuantizedSize[]> {
  const opened = await openSource(resolve(dir));
  for (const { source } of opened) await source.close();
  return opened.map((each) => sizeOf(each, to));
}

function sizeOf({ component, source }: OpenedComponent<QuantizedComponent>, to: Scheme): QuantizedSize {
  const entries = [...source.tensors.values()];
  const sourceBytes = entries.reduce((n, entry) => n + entry.byteLength, 0);
  return { component, sourceBytes, bytes: quantizedBytes(entries, { component, form: QUANTIZED_FORMS[to] }) };
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

async function openSource(dir: string): Promise<OpenedComponent<QuantizedComponent>[]> {
  const opened: OpenedComponent<QuantizedComponent>[] = [];
  for (const component of QUANTIZED_COMPONENTS) {
    if (!(await exists(componentFolder(dir, component)))) continue;
    const each = await openComponent<QuantizedComponent>(dir, component);
    checkComponent(each);
    const quantized = [...each.source.tensors.values()].find((entry) => entry.quantized !== undefined);
    if (quantized !== undefined)
      throw inputError(
        'quantize',
        'the source must not be quantized itself',
        `${quantized.quantized?.form.scheme} in ${quantized.file}`,
        'the original checkpoint',
      );
    opened.push(each);
  }
  if (opened.length === 0)
    throw inputError(
      'quantize',
      `the directory must hold one of ${QUANTIZED_COMPONENTS.join(', ')}`,
      dir,
      'a checkpoint directory in the official layout',
    );
  return opened;
}

/** All files but the weights that are quantized; hidden ones left out. Relative paths. */
async function otherFiles(dir: string, opened: readonly OpenedComponent<QuantizedComponent>[]): Promise<string[]> {
  const replaced = opened.map(({ component }) => componentFolder(dir, component));
  const found: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    const entries: Dirent[] = await readdir(folder, { withFileTypes: true });
    for (const { name } of entries.filter((entry) => !entry.name.startsWith('.'))) {
      const path = join(folder, name);
      if ((await stat(path)).isDirectory()) await walk(path);
      else if (!(replaced.includes(folder) && isWeightFile(name))) found.push(relative(dir, path));
    }
  };
  await walk(dir);
  return found.sort();
}

type Need = { readonly source: string; readonly others: readonly string[]; readonly bytes: number };

/** @throws environment error unless the disk of `partial` has room for what is not there yet. */
async function checkRoom(partial: string, { source, others, bytes }: Need): Promise<void> {
  const sameDisk = (await stat(source)).dev === (await stat(partial)).dev;
  const copied = others.filter((file) => !sameDisk || !isWeightFile(file)).map((file) => join(source, file));
  const sizes = await Promise.all(copied.map(async (file) => (await stat(file)).size));
  const need = bytes + sizes.reduce((a, b) => a + b, 0) + SPARE_BYTES - (await folderBytes(partial));
  const { bavail, bsize } = await statfs(partial);
  if (need > bavail * bsize)
    throw new StepVideoError(
      'environment',
      'quantize',
      `${dirname(partial)} must have ${gigabytes(need)} free`,
      gigabytes(bavail * bsize),
      'freeing disk space, or --out on another disk',
    );
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;

async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  return sizes.reduce((a, b) => a + b, 0);
}

/** What a killed run was writing. */
async function removeUnfinished(partial: string): Promise<void> {
  const entries = await readdir(partial, { recursive: true, withFileTypes: true });
  for (const { name, parentPath } of entries)
    if (name.endsWith('.tmp')) await rm(join(parentPath, name), { force: true });
}

/** Weight files are hard-linked where the file system can, since nothing changes them in place; all else is copied. */
async function bringOver(source: string, partial: string, files: readonly string[]) {
  const linked: string[] = [];
  const copied: string[] = [];
  for (const file of files) {
    const [from, to] = [await realpath(join(source, file)), join(partial, file)];
    await mkdir(dirname(to), { recursive: true });
    await rm(to, { force: true });
    const isLinked =
      isWeightFile(file) &&
      (await link(from, to).then(
        () => true,
        () => false,
      ));
    if (!isLinked)
      await copyFile(from, to, constants.COPYFILE_FICLONE).catch((error) => {
        throw new StepVideoError(
          'environment',
          `write ${to}`,
          'the file must be writable',
          error.message,
          'freeing disk space',
          error,
        );
      });
    (isLinked ? linked : copied).push(file);
  }
  return { linked, copied };
}
