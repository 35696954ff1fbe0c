/**
 * What a model was trained on, as `training.json` of its directory says: so that nobody judges it by what it never saw.
 * Knows names and numbers only; does not know the world that they come from, nor how training went.
 */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { checkpointError } from './errors.ts';

/** File in a model directory. Without it a model is taken to know everything. */
export const RECORD_FILE = 'training.json';

const names = z.array(z.string().min(1)).min(1);

const recordSchema = z.strictObject({
  format: z.literal(1),
  /** Ids of subjects, as the data lists them. */
  subjects: names,
  /** Colours and sceneries. */
  backgrounds: names,
  motions: names,
  /** Lengths of clips that it was trained on. */
  frames: z.array(z.int().positive()).min(1),
  fps: z.number().positive(),
  /** Camera moves besides `static`; none unless told. */
  cameras: names.optional(),
  /** Whether it saw two subjects in a scene; not unless told. */
  pairs: z.boolean().optional(),
  /** Whether its captions have the words of the held-out templates; not unless told. */
  paraphrases: z.boolean().optional(),
});

/** The content of `training.json`. */
export type TrainingRecord = z.infer<typeof recordSchema>;

/**
 * The record of a model directory, or undefined where there is none.
 * @throws checkpoint error when the file cannot be read or does not hold what it must.
 */
export function readTrainingRecord(directory: string): TrainingRecord | undefined {
  const file = path.join(directory, RECORD_FILE);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw checkpointError('training record', `${file} must be readable`, (cause as Error).message);
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw checkpointError('training record', `${file} must be JSON`, (cause as Error).message);
  }
  const parsed = recordSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw checkpointError('training record', `${file} must be valid`, `${issue.path.join('.')}: ${issue.message}`);
}

/** Writes `training.json` into a model directory that exists. @throws an error of the file system. */
export async function writeTrainingRecord(directory: string, record: TrainingRecord): Promise<void> {
  await writeFile(path.join(directory, RECORD_FILE), `${JSON.stringify(recordSchema.parse(record), null, 2)}\n`);
}
