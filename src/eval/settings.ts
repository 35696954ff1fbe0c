/**
 * What one evaluation does, checked before work starts, and the command line that repeats it. Loads nothing.
 */
import type { Language } from '../data/captions.ts';
import { inputError } from '../errors.ts';
import type { Preset } from '../presets.ts';
import { parseRequest } from '../request.ts';
import { DEVICES, type Device } from '../runtime/device.ts';
import type { TrainingRecord } from '../training-record.ts';
import { SCORED_FRAMES, SETS, type SetName } from './test-set.ts';

export const LANGUAGES = ['en', 'zh'] as const satisfies readonly Language[];

/** Parts that can be run alone; `speed` is one prompt to one file. `plain-prompts` runs only when it is asked for. */
export const PARTS = ['speed', 'generated', 'reconstruction', 'plain-prompts'] as const;
export type Part = (typeof PARTS)[number];

/** What a caller may choose; sampling settings left open are the model's own. */
export type EvaluationChoices = {
  /** Model directory, or the name of a shipped model. */
  model: string;
  /** Directory of the built emoji world. */
  data: string;
  /** Held-out triples to score, 120 unless told. */
  triples?: number | undefined;
  /** Length of scored clips; unless told 34, or what the model was trained on. */
  frames?: number | undefined;
  /** Chooses triples and real clips; clip i has noise seed `seed + i`. 0 unless told. */
  seed?: number | undefined;
  steps?: number | undefined;
  guidanceScale?: number | undefined;
  timeShift?: number | undefined;
  /** Languages of the prompts, both unless told. */
  languages?: readonly Language[] | undefined;
  /** Sets of prompts, all unless told. */
  sets?: readonly SetName[] | undefined;
  /** One part alone; `reconstruction` needs nothing of the model but its VAE. */
  only?: Part | undefined;
  /** Also the grid of plain prompts. */
  plainPrompts?: boolean | undefined;
  device?: Device | undefined;
};

/** Nothing left open. */
export type Settings = {
  readonly model: string;
  readonly data: string;
  readonly triples: number;
  readonly seed: number;
  readonly languages: readonly Language[];
  readonly sets: readonly SetName[];
  readonly parts: readonly Part[];
  readonly frames: number;
  readonly fps: number;
  readonly steps: number;
  readonly guidanceScale: number;
  readonly timeShift: number;
  readonly promptSuffix: string;
  readonly negativePrompt: string;
  readonly device: Device;
};

/** @throws input error that names the field. How many triples there are, only the data can say. */
export function settle(choices: EvaluationChoices, preset: Preset, record?: TrainingRecord): Settings {
  const { model, data, triples = 120, seed = 0, steps, guidanceScale, timeShift, only, device = 'cpu' } = choices;
  const { languages = LANGUAGES, sets = SETS, frames = framesOf(record), plainPrompts = false } = choices;
  if (!Number.isSafeInteger(triples) || triples < 2)
    throw inputError('eval', 'triples must be a whole number of at least 2', triples, '120');
  if (!Number.isSafeInteger(frames) || frames < 17 || frames % 17 !== 0)
    throw inputError('eval', 'frames must be a multiple of 17', frames, '17 or 34');
  if (languages.length === 0 || languages.some((language) => !LANGUAGES.includes(language)))
    throw inputError('eval', `languages must be some of ${LANGUAGES.join(', ')}`, languages);
  if (sets.length === 0 || sets.some((set) => !SETS.includes(set)))
    throw inputError('eval', `sets must be some of ${SETS.join(', ')}`, sets.join());
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
    sets: SETS.filter((set) => sets.includes(set)),
    parts: only === undefined ? PARTS.filter((part) => part !== 'plain-prompts' || plainPrompts) : [only],
    frames,
    fps: preset.fps,
    steps: request.steps ?? preset.steps,
    guidanceScale: request.guidanceScale ?? preset.guidanceScale,
    timeShift: request.timeShift ?? preset.timeShift,
    promptSuffix: preset.promptSuffix,
    negativePrompt: preset.negativePrompt,
    device,
  };
}

/** The usual length where the model knows it, else the longest of its own in which something can move. */
function framesOf(record: TrainingRecord | undefined): number {
  const lengths = (record?.frames ?? [SCORED_FRAMES]).filter((frames) => frames >= 17 && frames % 17 === 0);
  return lengths.includes(SCORED_FRAMES) || lengths.length === 0 ? SCORED_FRAMES : Math.max(...lengths);
}

/** The command that takes these numbers again, all settings spelt out; `part` alone where one is given. */
export function commandLine(settings: Settings, program: string, part?: Part): string {
  const { model, data, triples, frames, seed, steps, guidanceScale, timeShift, device } = settings;
  const { languages, sets, parts } = settings;
  const only = part ?? (parts.length === 1 ? parts[0] : undefined);
  const sampling = { steps, guidance: guidanceScale, 'time-shift': timeShift };
  const usesSets = only === undefined || only === 'generated';
  const chosenSets = usesSets && sets.length < SETS.length ? { sets } : {};
  const flags = {
    ...{ model, data, triples, frames, seed, ...(only === 'reconstruction' ? {} : sampling) },
    ...{ ...chosenSets, device },
  };
  return [
    program,
    'eval',
    ...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, shellWord(String(value))]),
    ...LANGUAGES.flatMap((language) => (languages.includes(language) ? [] : [`--no-${language}`])),
    ...(only === undefined ? [] : ['--only', only]),
    ...(only === undefined && parts.includes('plain-prompts') ? ['--plain-prompts'] : []),
  ].join(' ');
}

/** `text` as one word to a POSIX shell. */
export const shellWord = (text: string): string =>
  /^[\p{L}\p{N}_@%+=:,./-]+$/u.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
