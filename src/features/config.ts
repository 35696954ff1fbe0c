/**
 * What a feature network is: sizes of its levels and the subjects that it tells apart, as its `config.json` has them.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { checkpointError } from '../errors.ts';
import { missingFileError } from '../weights/file-errors.ts';

const count = z.int().positive();

/** Sizes alone, which a training run names; the subjects are those of its world. */
export const featureSizes = z
  .strictObject({
    /** Channels of each level; every level after the first is half as high and wide. */
    widths: z.array(count).length(5).default([16, 32, 64, 96, 128]),
    /** Residual convolutions of each level, besides the one that widens. */
    blocks: z.array(z.int().nonnegative()).length(5).default([0, 0, 1, 1, 0]),
    /** Groups of each norm. */
    num_groups: count.default(8),
    /** Length of the pooled vector. */
    features: count.default(96),
  })
  .refine(({ widths, num_groups }) => widths.every((w) => w % num_groups === 0), 'num_groups must divide every width');

const schema = z.strictObject({
  /** What reports call the network. */
  name: z.string().min(1),
  /** Ids in the order of the logits. */
  subjects: z.array(z.string().min(1)).min(1),
  sizes: featureSizes,
});

export type FeatureConfig = z.output<typeof schema>;

/** Sides of a picture must be multiples of this: four halvings. */
export const SIDE_FACTOR = 16;

/** Reads and checks `config.json` of a feature network's folder. @throws checkpoint error that names the file and the field. */
export async function readFeatureConfig(folder: string): Promise<FeatureConfig> {
  const file = path.join(folder, 'config.json');
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw missingFileError('features', file, error);
  });
  const parsed = schema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw checkpointError(`features ${file}`, `${issue.path.join('.') || 'config'}: ${issue.message}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
