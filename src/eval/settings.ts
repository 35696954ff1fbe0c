/**
 * What one evaluation does, checked before work starts, and the command line that repeats it. Loads nothing.
 */
import type { Language } from '../data/captions.ts';
import { inputError } from '../errors.ts';
import type { Preset } from '../presets.ts';
import { parseRequest } from '../request.ts';
import { DEVICES, type Device } from '../runtime/device.ts';
import { SCORED_FRAMES } from './test-set.ts';

export const LANGUAGES = ['en', 'zh'] as const satisfies readonly Language[];

/** Parts that can be run alone. */
export const PARTS = ['generated', 'reconstruction'] as const;
export type Part = (typeof PARTS)[number];

/** What a caller may choose; sampling settings left open are the model's own. */
export type EvaluationChoices = {
  /** Model directory, or the name of a shipped model. */
  model: string;
  /** Directory of the built emoji world. */
  data: string;
  /** Held-out triples to score, 90 unless told. */
  triples?: number | undefined;
  /** Chooses triples and real clips; clip i has noise seed `seed + i`. 0 unless told. */
  seed?: number | undefined;
  steps?: number | undefined;
  guidanceScale?: number | undefined;
  timeShift?: number | undefined;
  /** Languages of the prompts, both unless told. */
  languages?: readonly Language[] | undefined;
  /** One part alone; `reconstruction` needs nothing of the model but its VAE. */
  only?: Part | undefined;
  device?: Device | undefined;
};

/** Nothing left open. */
export type Settings = {
  readonly model: string;
  readonly data: string;
  readonly triples: number;
  readonly seed: number;
  readonly languages: readonly Language[];
  readonly parts: readonly Part[];
  readonly frames: number;
  readonly steps: number;
  readonly guidanceScale: number;
  readonly timeShift: number;
  readonly promptSuffix: string;
  readonly negativePrompt: string;
  readonly device: Device;
};

/** @throws input error that names the field. How many triples there are, only the data can say. */
export function settle(choices: EvaluationChoices, preset: Preset): Settings {
  const { model, data, triples = 90, seed = 0, steps, guidanceScale, timeShift, only, device = 'cpu' } = choices;
  const { languages = LANGUAGES } = choices;
  if (!Number.isSafeInteger(triples) || triples < 2)
    throw inputError('eval', 'triples must be a whole number of at least 2', triples, '90');
  if (languages.length === 0 || languages.some((language) => !LANGUAGES.includes(language)))
    throw inputError('eval', `languages must be some of ${LANGUAGES.join(', ')}`, languages);
  if (only !== undefined && !PARTS.includes(only))
    throw inputError('eval', `only must be one of ${PARTS.join(', ')}`, only);
  if (!DEVICES.includes(device)) throw inputError('eval', `device must be one of ${DEVICES.join(', ')}`, device);
  const chosen = Object.entries({ seed, steps, guidanceScale, timeShift }).filter(([, value]) => value !== undefined);
  const request = parseRequest({ prompt: 'any', ...Object.fromEntries(chosen) });
  return {
    model,
    data,
    triples,
    seed,
    languages: LANGUAGES.filter((language) => languages.includes(language)),
    parts: only === undefined ? PARTS : [only],
    frames: SCORED_FRAMES,
    steps: request.steps ?? preset.steps,
    guidanceScale: request.guidanceScale ?? preset.guidanceScale,
    timeShift: request.timeShift ?? preset.timeShift,
    promptSuffix: preset.promptSuffix,
    negativePrompt: preset.negativePrompt,
    device,
  };
}

/** The command that takes these numbers again, all settings spelt out; `part` alone where one is given. */
export function commandLine(settings: Settings, program: string, part?: Part): string {
  const { model, data, triples, seed, steps, guidanceScale, timeShift, device, languages, parts } = settings;
  const only = part ?? (parts.length === 1 ? parts[0] : undefined);
  const sampling = { steps, guidance: guidanceScale, 'time-shift': timeShift };
  const flags = { model, data, triples, seed, ...(only === 'reconstruction' ? {} : sampling), device };
  return [
    program,
    'eval',
    ...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, shellWord(String(value))]),
    ...LANGUAGES.flatMap((language) => (languages.includes(language) ? [] : [`--no-${language}`])),
    ...(only === undefined ? [] : ['--only', only]),
  ].join(' ');
}

/** `text` as one word to a POSIX shell. */
export const shellWord = (text: string): string =>
  /^[\p{L}\p{N}_@%+=:,./-]+$/u.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
