/**
 * Which sets a directory of recordings holds, and which comparison each asks for. A file that belongs to none is a set that nobody knows.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { inputError } from '../errors.ts';
import type { Comparison } from './compare.ts';
import { compareDitForward } from './dit.ts';
import { compareDitTraining } from './dit-training.ts';
import { compareCheckpoint, compareManifest, comparePickles } from './files.ts';
import { compareTorchNoise } from './noise.ts';
import { comparePipeline } from './pipeline.ts';
import { compareScheduler, compareTables } from './tables.ts';
import { compareClip, compareStepLlm } from './text.ts';
import { compareSentencePiece, compareWordPiece } from './tokenizers.ts';
import { compareVae } from './vae.ts';
import { compareVaeTraining } from './vae-training.ts';
import { readJson } from './vectors.ts';

/** A set of directory `dir`; `name` is its path in it, without ending. */
export type FoundSet = { readonly name: string; readonly compare: () => Promise<Comparison[]> };

type Compare = (dir: string, name: string) => Promise<Comparison[]>;

/** By the `set` field of NAME.json. */
const KINDS: Readonly<Record<string, Compare>> = {
  pipeline: comparePipeline,
  dit: (dir, name) => compareDitForward(dir, name, 'fused'),
  vae: (dir, name) => compareVae(dir, name, 'fused'),
  bert: (dir, name) => compareClip(dir, name, 'fused'),
  stepllm: (dir, name) => compareStepLlm(dir, name, 'fused'),
  scheduler: compareScheduler,
  'rope and timestep tables': compareTables,
  'bert pickles': comparePickles,
  'tokenizer (CLIP)': compareWordPiece,
  'tokenizer (Step-LLM)': compareSentencePiece,
  manifest: compareManifest,
  rng: compareTorchNoise,
};

/** Files that say nothing about the models. */
const IGNORED = /(^|\/)\.|\.(md|txt)$/;

/** Every set below `dir`, in order of name. Throws an input error where `dir` is no directory or holds no recordings. */
export async function findSets(dir: string): Promise<FoundSet[]> {
  const found = await stat(dir).catch(() => undefined);
  if (!found?.isDirectory()) throw inputError('parity', 'DIR must be a directory of recordings', dir);
  const { files, checkpoints } = await walk(dir, '');
  const sets: FoundSet[] = checkpoints.map((name) => ({ name, compare: () => compareCheckpoint(dir, name) }));
  const claimed = new Set<string>();
  for (const file of files.filter((name) => name.endsWith('.json'))) {
    const name = file.slice(0, -'.json'.length);
    const { kind, belongings } = await describe(dir, name, files);
    for (const own of [file, ...belongings]) claimed.add(own);
    sets.push({ name, compare: typeof kind === 'function' ? () => kind(dir, name) : () => Promise.reject(kind) });
  }
  for (const file of files)
    if (!claimed.has(file)) sets.push({ name: file, compare: () => Promise.reject(unknown(file)) });
  if (sets.length === 0)
    throw inputError('parity', 'DIR must hold recorded sets', dir, 'a directory with NAME.json files');
  return sets.sort((a, b) => (a.name < b.name ? -1 : 1));
}

const unknown = (what: string, set?: unknown): Error =>
  inputError('parity', `${what} must be a set that this program knows`, set);

/** The comparison that a description asks for, or why there is none; and the other files that belong to it. */
async function describe(dir: string, name: string, files: readonly string[]) {
  const folder = name.split('/').slice(0, -1).join('/');
  let json: Record<string, unknown>;
  try {
    json = Object((await readJson(join(dir, `${name}.json`))) ?? {}) as Record<string, unknown>;
  } catch (error) {
    return { kind: error as Error, belongings: [] };
  }
  const set = String(json.set);
  const kind = set === 'training' ? trainingKind(json) : Object.hasOwn(KINDS, set) ? KINDS[set] : undefined;
  const belongings = [
    `${name}.safetensors`,
    json.weights,
    ...[json.vocab, json.model].map((path) => join(folder, String(path))),
  ];
  if (kind === comparePickles) {
    const listed = Object.keys(Object(json.files ?? {})).flatMap((list) => list.split(', '));
    const stems = listed.map((file) => file.replace(/[_.].*$/, ''));
    const values = files.filter((file) => stems.some((stem) => file === join(folder, `${stem}.safetensors`)));
    belongings.push(...listed.map((file) => join(folder, file)), ...values);
  }
  return { kind: kind ?? unknown(name, json.set ?? 'no field `set`'), belongings: belongings.map(String) };
}

/** Both kinds of training call themselves one; the VAE's has a config of two halves. */
const trainingKind = (json: Record<string, unknown>): Compare =>
  Object.hasOwn(Object(json.config ?? {}), 'encoder') ? compareVaeTraining : compareDitTraining;

/** Files below `dir`/`folder`, by their paths from `dir`, and the folders that are checkpoints, which are not entered. */
async function walk(dir: string, folder: string): Promise<{ files: string[]; checkpoints: string[] }> {
  const files: string[] = [];
  const checkpoints: string[] = [];
  for (const entry of await readdir(join(dir, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (IGNORED.test(path)) continue;
    if (!entry.isDirectory()) files.push(path);
    else if (await stat(join(dir, path, 'model_index.json')).catch(() => undefined)) checkpoints.push(path);
    else {
      const below = await walk(dir, path);
      files.push(...below.files);
      checkpoints.push(...below.checkpoints);
    }
  }
  return { files, checkpoints };
}
