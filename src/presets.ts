/**
 * Sampling presets: one table of complete rows, and how a model directory says which row is its own.
 * Does not know any model's name; a directory is asked through its files.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { checkpointError } from './errors.ts';

/** Everything that a request may leave open. Sizes in pixels; `promptSuffix` is appended without a separator. */
export const presetSchema = z.strictObject({
  steps: z.int().positive(),
  guidanceScale: z.number(),
  timeShift: z.number().positive(),
  frames: z.int().positive(),
  height: z.int().positive(),
  width: z.int().positive(),
  fps: z.number().positive(),
  seed: z.int().nonnegative(),
  promptSuffix: z.string(),
  negativePrompt: z.string(),
});

export type Preset = z.infer<typeof presetSchema>;

/** The suffixes of the official command line. */
const POSITIVE =
  '超高清、HDR 视频、环境光、杜比全景声、画面稳定、流畅动作、逼真的细节、专业级构图、超现实主义、自然、生动、超细节、清晰。';
const NEGATIVE =
  '画面暗、低分辨率、不良手、文本、缺少手指、多余的手指、裁剪、低质量、颗粒状、签名、水印、用户名、模糊。';

const official: Preset = {
  steps: 50,
  guidanceScale: 9,
  timeShift: 13,
  frames: 204,
  height: 544,
  width: 992,
  fps: 25,
  seed: 1234,
  promptSuffix: POSITIVE,
  negativePrompt: NEGATIVE,
};

export const PRESETS = {
  official,
  turbo: { ...official, steps: 15, guidanceScale: 5, timeShift: 17 },
  /** The official recipe at a size that suits a checkpoint of few parameters. */
  small: { ...official, frames: 17, height: 128, width: 128, fps: 12 },
  mini: {
    steps: 24,
    guidanceScale: 2,
    timeShift: 1,
    frames: 17,
    height: 128,
    width: 128,
    fps: 12,
    seed: 1234,
    promptSuffix: '',
    negativePrompt: '',
  },
} as const satisfies Record<string, Preset>;

const PRESET_NAMES = Object.keys(PRESETS) as (keyof typeof PRESETS)[];

/** File in a model directory that names its preset; fields under `defaults` replace those of the row. */
export const PRESET_FILE = 'step_video.json';

const presetFile = z.strictObject({ preset: z.enum(PRESET_NAMES), defaults: presetSchema.partial().optional() });

/** Below this many transformer parameters nobody waits for 204 frames of 544x992 on purpose. */
const SMALL_PARAMETERS = 1e9;

/**
 * The preset of a model directory: named by its `step_video.json`, else the official row, which a transformer of under
 * 10^9 parameters gets at a small size.
 * @throws checkpoint error when one of the two files is not valid JSON or `step_video.json` holds anything unknown.
 */
export function presetOf(modelDirectory: string): Preset {
  const file = path.join(modelDirectory, PRESET_FILE);
  if (existsSync(file)) {
    const parsed = presetFile.safeParse(readJson(file));
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      throw checkpointError('preset', `${file} must be valid`, `${issue.path.join('.')}: ${issue.message}`);
    }
    const { preset, defaults } = parsed.data;
    return { ...PRESETS[preset], ...definedOnly(defaults ?? {}) };
  }
  const config = path.join(modelDirectory, 'transformer', 'config.json');
  const isSmall = existsSync(config) && blockParameters(readJson(config)) < SMALL_PARAMETERS;
  return isSmall ? PRESETS.small : PRESETS.official;
}

/** Parameters of the transformer blocks, 16·d² each in the largest terms. Official values stand in for absent fields. */
function blockParameters(config: unknown): number {
  const {
    num_layers: layers,
    num_attention_heads: heads,
    attention_head_dim: dim,
  } = (config ?? {}) as Record<string, unknown>;
  const number = (value: unknown, fallback: number): number => (typeof value === 'number' ? value : fallback);
  return 16 * number(layers, 48) * (number(heads, 48) * number(dim, 128)) ** 2;
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw checkpointError('preset', `${file} must be readable JSON`, (cause as Error).message);
  }
}

/** Without the fields that a partial object holds as `undefined`, which a spread would copy over real values. */
function definedOnly<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
