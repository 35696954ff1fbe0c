/**
 * Quantized weights in a safetensors file: `X.weight` holds codes (U8) and `X.weight.scale` their scales (F32), and the file's
 * metadata say how. Readers get one entry of the weight's own shape for the two. Which weights are quantized stands here too.
 */
import { z } from 'zod';
import { checkpointError } from '../errors.ts';
import { QUANTIZED_BITS, type QuantizedForm, quantizedShapes, sameShape } from '../tensor/index.ts';
import type { Component } from './component-config.ts';
import type { TensorEntry } from './tensor-entry.ts';

export const SCHEMES = ['int8', 'int4'] as const satisfies readonly QuantizedForm['scheme'][];
export type Scheme = (typeof SCHEMES)[number];

/**
 * What `step-video quantize` writes. Blocks of 64 with float32 scales take 4.5 bits a weight: the 30B transformer is then 17 GB.
 * Blocks of 32 would take 19 GB for a tenth less error in the weights.
 */
export const QUANTIZED_FORMS: Readonly<Record<Scheme, QuantizedForm>> = {
  int8: { scheme: 'int8' },
  int4: { scheme: 'int4', block: 64 },
};

const SCALE = '.scale';
export const scaleName = (weight: string): string => `${weight}${SCALE}`;

/**
 * Module names of the weights that are quantized: the linear layers of all blocks, which at the official size are 99 % of the
 * transformer, 98 % of Step-LLM and 86 % of Hunyuan-CLIP. Everything that is small, added, looked up or seen by every block alike (norms, biases, tables, embeddings, time, text and patch projections,
 * proj_out) stays as stored; so does the VAE, whose 0.5 billion parameters (1 GB in 16 bits) are convolutions.
 */
const QUANTIZED: Readonly<Partial<Record<Component, RegExp>>> = {
  transformer: /^transformer_blocks\.\d+\.(attn[12]\.(wqkv|wq|wkv|wo)|ff\.net\.(0\.proj|2))\.weight$/,
  step_llm: /^transformer\.layers\.\d+\.(attention\.(wqkv|wo)|feed_forward\.w[12])\.weight$/,
  hunyuan_clip:
    /^encoder\.layer\.\d+\.(attention\.self\.(query|key|value)|attention\.output\.dense|intermediate\.dense|output\.dense)\.weight$/,
};

export const QUANTIZED_COMPONENTS = ['transformer', 'step_llm', 'hunyuan_clip'] as const satisfies readonly Component[];
export type QuantizedComponent = (typeof QUANTIZED_COMPONENTS)[number];

export const isQuantizedWeight = (component: Component, name: string): boolean =>
  QUANTIZED[component]?.test(name) ?? false;

/** Version of the layout that this file describes. */
const VERSION = '1';

const metadataSchema = z.object({
  quantization_version: z.literal(VERSION),
  scheme: z.enum(SCHEMES),
  bits: z.enum(['4', '8']),
  /** Columns of a block; `row` where a scale covers a whole row. */
  block: z.string().regex(/^(row|[1-9]\d*)$/),
  component: z.string(),
  /** SHA-256 over names, types, shapes and bytes of the tensors that the file was made from. */
  source_sha256: z.string(),
  /** JSON: columns of the int4 weights whose last block is not full. */
  columns: z.string().default('{}'),
});

export type QuantizationMetadata = Readonly<Record<string, string>>;

/** Metadata of a file in `form`. `columns` are those of weights whose rows do not divide into blocks. */
export function quantizationMetadata(
  form: QuantizedForm,
  facts: { readonly component: Component; readonly source: string; readonly columns: Readonly<Record<string, number>> },
): QuantizationMetadata {
  return {
    quantization_version: VERSION,
    scheme: form.scheme,
    bits: String(QUANTIZED_BITS[form.scheme]),
    block: form.scheme === 'int4' ? String(form.block) : 'row',
    component: facts.component,
    source_sha256: facts.source,
    ...(Object.keys(facts.columns).length > 0 && { columns: JSON.stringify(facts.columns) }),
  };
}

/**
 * Entries of one file with each pair of codes and scales as one entry of the weight's own shape; as they are where the metadata
 * name no quantization. Throws a checkpoint error for another version, a scale without codes or the reverse, shapes at odds.
 */
export function joinQuantized(
  file: string,
  tensors: ReadonlyMap<string, TensorEntry>,
  metadata: Readonly<Record<string, string>>,
): ReadonlyMap<string, TensorEntry> {
  if (metadata.quantization_version === undefined) return tensors;
  const { form, columns } = parseMetadata(file, metadata);
  const joined = new Map<string, TensorEntry>();
  for (const [name, entry] of tensors) {
    if (name.endsWith(SCALE) && tensors.has(name.slice(0, -SCALE.length))) continue;
    const scale = tensors.get(scaleName(name));
    if (scale === undefined) {
      if (entry.dtype === 'U8' || name.endsWith(SCALE))
        throw quantizedError(file, `${name} must have its codes and scales in this file`, 'one of the two');
      joined.set(name, entry);
    } else joined.set(name, join(file, form, { packed: entry, scale, columns: columns[name] }));
  }
  return joined;
}

type Parts = { readonly packed: TensorEntry; readonly scale: TensorEntry; readonly columns: number | undefined };

function join(file: string, form: QuantizedForm, { packed, scale, columns }: Parts): TensorEntry {
  const [rows = 0, blocks = 0] = form.scheme === 'int4' ? packed.shape : [packed.shape[1], 0];
  const shape = [rows, form.scheme === 'int4' ? (columns ?? blocks * form.block) : (packed.shape[0] ?? 0)] as const;
  const expected = quantizedShapes(form, shape);
  const fits = sameShape(packed.shape, expected.packed) && sameShape(scale.shape, expected.scale);
  if (!fits || packed.dtype !== 'U8' || scale.dtype !== 'F32')
    throw quantizedError(
      file,
      `${packed.name} must be U8 [${expected.packed.join(', ')}] with scales F32 [${expected.scale.join(', ')}]`,
      `${packed.dtype} [${packed.shape.join(', ')}] and ${scale.dtype} [${scale.shape.join(', ')}]`,
    );
  return { ...packed, shape, quantized: { form, scale } };
}

function parseMetadata(file: string, metadata: Readonly<Record<string, string>>) {
  const result = metadataSchema.safeParse(metadata);
  if (!result.success) {
    const field = String(result.error.issues[0]?.path[0]);
    throw quantizedError(file, `metadata ${field} must be one that this version knows`, metadata[field] ?? 'nothing');
  }
  const { scheme, bits, block, columns } = result.data;
  const form: QuantizedForm = scheme === 'int4' ? { scheme, block: Number(block) } : { scheme };
  if (Number(bits) !== QUANTIZED_BITS[scheme] || (scheme === 'int4') === (block === 'row'))
    throw quantizedError(file, `bits and block must be those of ${scheme}`, `${bits} bits, block ${block}`);
  if (form.scheme === 'int4' && (form.block < 16 || (form.block & (form.block - 1)) !== 0))
    throw quantizedError(file, 'a block must be a power of two from 16', block);
  return { form, columns: parseColumns(file, columns) };
}

function parseColumns(file: string, text: string): Readonly<Record<string, number>> {
  try {
    return z.record(z.string(), z.int().positive()).parse(JSON.parse(text));
  } catch {
    throw quantizedError(file, 'metadata columns must be a JSON object of whole numbers', text);
  }
}

const quantizedError = (file: string, rule: string, got: unknown) =>
  checkpointError(`quantized file ${file}`, rule, got, 'step-video quantize on the original checkpoint again');
