/**
 * The request for one video: the only schema that user input passes, whichever front it came from.
 * Knows what a valid request is and fills it up from a preset; does not know models, files or how anything is computed.
 */
import { z } from 'zod';
import { RNGS } from './diffusion/initial-noise.ts';
import { inputError, type StepVideoError } from './errors.ts';
import { parseMemory } from './memory-plan/memory-size.ts';
import { nearestName } from './nearest.ts';
import { type Preset, presetSchema } from './presets.ts';
import { DEVICES } from './runtime/device.ts';
import { VIDEO_FORMATS, type VideoFormat } from './video/format.ts';

/** Longest prompt in characters. The tokenizers cut at 318 and 75 tokens, so more could not be seen by the model. */
export const MAX_PROMPT_CHARACTERS = 4000;
const MAX_SIDE = 4096;
const MAX_FRAMES = 17 * 120;

const FORMATS = Object.keys(VIDEO_FORMATS) as [VideoFormat, ...VideoFormat[]];

/** How a front shows a field: its flag, the word that stands for its value, and one line about it. */
export type FieldMeta = { flag?: string; value: string; about: string };

const whole = (from: number, to: number) => {
  const error = `must be a whole number from ${from} to ${to}`;
  return z.int({ error }).min(from, { error }).max(to, { error });
};
const real = (from: number, to: number, words = `from ${from}`) => {
  const error = `must be a number ${words} to ${to}`;
  return z.number({ error }).min(from, { error }).max(to, { error });
};
const text = (what: string) => {
  const error = `must be ${what}`;
  return z.string({ error }).min(1, { error });
};

const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;
const words = z
  .string({ error: 'must be text' })
  .max(MAX_PROMPT_CHARACTERS, { error: `must have at most ${MAX_PROMPT_CHARACTERS} characters` })
  .refine((value) => !LONE_SURROGATE.test(value), { error: 'must be well-formed Unicode' });

const FRAMES_RULE = 'must be 1 or a multiple of 17';
const MEMORY_RULE = 'must be an amount of memory such as 8GB or 24GiB';
const PREVIEW_RULE = 'must be a path that ends in .webp or .gif';
const SIZE_RULE = 'must be HEIGHTxWIDTH in multiples of 16';

/** The fields, each with the rule that its error states. All are optional: a preset fills what is left open. */
const fields = {
  prompt: words
    .refine((value) => value.trim() !== '', { error: 'must not be empty' })
    .meta({ value: 'TEXT', about: 'what the video shows' }),
  negativePrompt: words.meta({ flag: 'negative', value: 'TEXT', about: 'what it must not show' }),
  seed: whole(0, Number.MAX_SAFE_INTEGER).meta({ value: 'N', about: 'same seed, same video' }),
  rng: z
    .enum(RNGS, { error: `must be one of ${RNGS.join(', ')}` })
    .meta({ value: RNGS.join('|'), about: 'generator of the seed; torch: what PyTorch draws on the CPU' }),
  steps: whole(1, 1000).meta({ value: 'N', about: 'denoising steps' }),
  guidanceScale: real(0, 100).meta({
    flag: 'guidance',
    value: 'X',
    about: 'how strictly to follow the prompt; 1 and below: no guidance, half the work',
  }),
  timeShift: real(0.01, 1000).meta({
    flag: 'time-shift',
    value: 'X',
    about: 'above 1 spends more steps near the noise',
  }),
  stepCache: real(0, 10).meta({
    flag: 'step-cache',
    value: 'X',
    about: 'skip most of a denoising step that differs from the last full one by less than X; 0, the default, never',
  }),
  frames: whole(1, MAX_FRAMES)
    .refine((n) => n === 1 || n % 17 === 0, { error: FRAMES_RULE })
    .meta({ value: 'N', about: '1, or a multiple of 17' }),
  size: z
    .string({ error: SIZE_RULE })
    .refine((value) => isValidSize(value), { error: SIZE_RULE })
    .meta({ value: 'HxW', about: 'height x width in pixels, multiples of 16 (the official size is 544x992)' }),
  fps: real(0.1, 240).meta({ value: 'X', about: 'frames a second of the file' }),
  out: text('a path').meta({ value: 'PATH', about: 'where the video goes' }),
  format: z
    .enum(FORMATS, { error: `must be one of ${FORMATS.join(', ')}` })
    .meta({ value: FORMATS.join('|'), about: 'default: by the extension of --out' }),
  model: text('a model directory or the name of a shipped model').meta({
    value: 'DIR',
    about: 'checkpoint directory, a shipped model, or OWNER/NAME after pull',
  }),
  device: z
    .enum(DEVICES, { error: `must be one of ${DEVICES.join(', ')}` })
    .meta({ value: DEVICES.join('|'), about: 'where the networks run' }),
  tile: whole(96, MAX_SIDE).meta({
    value: 'N',
    about: 'decode frames in tiles of at most N pixels a side (default: as large as memory allows)',
  }),
  memory: z
    .string({ error: MEMORY_RULE })
    .refine((value) => parseMemory(value) !== undefined, { error: MEMORY_RULE })
    .meta({ value: 'SIZE', about: 'most memory to use, such as 8GB; default: what is free' }),
  resume: text('a file of saved latents').meta({
    value: 'FILE',
    about: 'continue from saved latents; the request comes from the file',
  }),
  preview: z
    .string({ error: PREVIEW_RULE })
    .regex(/.\.(webp|gif)$/i, { error: PREVIEW_RULE })
    .meta({ value: 'FILE', about: 'show what the video is coming to in FILE (.webp or .gif), from the first step on' }),
  previewEvery: whole(0, 1000).meta({
    flag: 'preview-every',
    value: 'N',
    about: 'steps from one preview to the next (default: an eighth of all); 0: none',
  }),
  saveLatents: z
    .union([z.boolean(), z.string().regex(/.\.safetensors$/)], {
      error: 'must be true, false or a path that ends in .safetensors',
    })
    .meta({
      flag: 'save-latents',
      value: '[FILE]',
      about: 'keep the latents beside the video, or in FILE (.safetensors)',
    }),
};

/** Fields that a resumed run takes from its file, so that it ends exactly where the first one would have. */
const FIXED_BY_RESUME = [
  'prompt',
  'negativePrompt',
  'seed',
  'rng',
  'steps',
  'guidanceScale',
  'timeShift',
  'stepCache',
  'frames',
  'size',
] as const;

const requestSchema = z.strictObject(z.object(fields).partial().shape).superRefine((request, context) => {
  const add = (field: string, message: string, input?: unknown): void =>
    context.addIssue({ code: 'custom', path: [field], message, input });
  if (request.preview !== undefined && request.previewEvery === 0) {
    add('previewEvery', 'must be at least 1 where there is a file for previews', 0);
  }
  if (request.resume === undefined) {
    if (request.prompt === undefined) add('prompt', 'must be given');
    return;
  }
  for (const field of FIXED_BY_RESUME) {
    if (request[field] !== undefined) add(field, 'must not be given with resume, whose file holds it', request[field]);
  }
});

/** A valid request as its author wrote it; whatever is absent is the preset's business. */
export type GenerateRequest = z.infer<typeof requestSchema>;

/** One broken rule, as data: fronts that show all of them (forms, HTTP) read these. */
export type RequestIssue = { field: string; rule: string; got?: unknown; hint?: string | undefined };

/** How each field is shown, in the order of the schema. */
export function requestFields(): [field: string, meta: FieldMeta][] {
  return Object.entries(fields).map(([field, schema]) => [field, schema.meta() as FieldMeta]);
}

/** Every broken rule of `input`, at most one a field; empty when it is a valid request. */
export function requestIssues(input: unknown): RequestIssue[] {
  const parsed = requestSchema.safeParse(input, { reportInput: true });
  if (parsed.success) return [];
  const issues = parsed.error.issues.flatMap((issue): RequestIssue[] => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        field: key,
        rule: 'is not a field of a request',
        hint: nearestName(key, Object.keys(fields)),
      }));
    }
    if (issue.path.length === 0) return [{ field: 'request', rule: 'must be an object', got: issue.input }];
    const field = String(issue.path[0]);
    return [{ field, rule: issue.message, got: issue.input, hint: hintFor(field, issue.input) }];
  });
  return issues.filter((issue, i) => issues.findIndex(({ field }) => field === issue.field) === i);
}

/**
 * `nameOf` is what the user calls a field: a flag, a form label.
 * @throws input error for the first broken rule: `generate: frames must be 1 or a multiple of 17, got 20 (try 17 or 34)`.
 */
export function parseRequest(input: unknown, nameOf = (field: string): string => field): GenerateRequest {
  const issue = requestIssues(input)[0];
  if (issue) throw requestError({ ...issue, field: nameOf(issue.field) });
  return requestSchema.parse(input);
}

function requestError({ field, rule, got, hint }: RequestIssue): StepVideoError {
  const isText = typeof got === 'string';
  const shown = isText && got.length > 200 ? `${got.length} characters` : isText && got.trim() === '' ? undefined : got;
  return inputError('generate', `${field} ${rule}`, shown, hint);
}

/** Everything that determines the latents and frames of one video, nothing left open. Sizes in pixels. */
export const samplingSchema = presetSchema.extend({
  prompt: z.string(),
  // Latents saved before there was a choice do not name it.
  rng: z.enum(RNGS).default('counter'),
  stepCache: z.number().nonnegative().default(0),
});

export type SamplingRequest = z.infer<typeof samplingSchema>;

/** `request` with the preset's values where it is silent. The request must hold a prompt (not a resumed one). */
export function fillRequest(request: GenerateRequest, preset: Preset): SamplingRequest {
  const { prompt } = request;
  if (prompt === undefined) throw inputError('generate', 'prompt must be given');
  const size = request.size === undefined ? preset : parseSize(request.size)!;
  return {
    prompt,
    negativePrompt: request.negativePrompt ?? preset.negativePrompt,
    promptSuffix: preset.promptSuffix,
    seed: request.seed ?? preset.seed,
    rng: request.rng ?? 'counter',
    steps: request.steps ?? preset.steps,
    guidanceScale: request.guidanceScale ?? preset.guidanceScale,
    timeShift: request.timeShift ?? preset.timeShift,
    stepCache: request.stepCache ?? 0,
    frames: request.frames ?? preset.frames,
    height: size.height,
    width: size.width,
    fps: request.fps ?? preset.fps,
  };
}

function parseSize(size: string): { height: number; width: number } | undefined {
  const match = /^(\d{1,6})x(\d{1,6})$/i.exec(size.trim());
  return match ? { height: Number(match[1]), width: Number(match[2]) } : undefined;
}

const isValidSide = (side: number): boolean => side >= 16 && side <= MAX_SIDE && side % 16 === 0;

function isValidSize(size: string): boolean {
  const parsed = parseSize(size);
  return parsed !== undefined && isValidSide(parsed.height) && isValidSide(parsed.width);
}

/** Valid values next to a bad one, where "nearest" means something. */
function hintFor(field: string, got: unknown): string | undefined {
  if (field === 'frames' && typeof got === 'number' && Number.isFinite(got)) return nearestFrames(got);
  if (field === 'size' && typeof got === 'string') return nearestSizes(got);
  if (field === 'format' && typeof got === 'string') return nearestName(got, FORMATS);
  if (field === 'rng' && typeof got === 'string' && !RNGS.some((rng) => rng === got)) return nearestName(got, RNGS);
  if (field === 'device' && typeof got === 'string') return nearestName(got, DEVICES);
  return undefined;
}

function nearestFrames(frames: number): string {
  if (frames <= 1) return '1';
  if (frames >= MAX_FRAMES) return String(MAX_FRAMES);
  const below = Math.floor(frames / 17) * 17 || 1;
  return `${below} or ${Math.floor(frames / 17) * 17 + 17}`;
}

function nearestSizes(size: string): string {
  const parsed = parseSize(size);
  if (!parsed) return '128x128 or 544x992, height first';
  const clamp = (side: number, round: (x: number) => number): number =>
    Math.min(MAX_SIDE, Math.max(16, round(side / 16) * 16));
  const sizes = [Math.floor, Math.ceil].map((round) => `${clamp(parsed.height, round)}x${clamp(parsed.width, round)}`);
  return [...new Set(sizes)].join(' or ');
}
