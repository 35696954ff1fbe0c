/**
 * What an evaluation found, as data. Measures nothing and shows nothing.
 */
import type { Language } from '../data/captions.ts';
import type { TrainingRecord } from '../training-record.ts';
import type { BarResult } from './bars.ts';
import type { StageSeconds } from './generated-clips.ts';
import type { Fidelity, FidelitySummary, SeamSteps } from './reconstruction.ts';
import type { Reading, Verdict } from './scorer.ts';
import type { ScoreSummary, Scores } from './scores.ts';
import type { Part, Settings } from './settings.ts';
import type { VideoTiming } from './speed.ts';
import type { SetName } from './test-set.ts';

/** One generated clip, so that every share can be counted again. */
export type ClipRecord = {
  readonly asked: Readonly<Record<string, string>>;
  readonly prompt: string;
  readonly seed: number;
  readonly reading: Reading;
  readonly verdict: Verdict;
};

/** One set of prompts in one language. */
export type SetReport = {
  readonly set: SetName;
  readonly language: Language;
  readonly scores: Scores;
  /** The same clips against each other's prompts. */
  readonly floor: ScoreSummary;
  /** From the real clips, in features of our own network. */
  readonly frechet?: number | undefined;
  readonly clips: readonly ClipRecord[];
};

/** Wall time of a clip among many, compilation included; `total` is the sum of the stages. */
export type SecondsPerClip = StageSeconds & { readonly total: number };

/** Means over the same clips, coded two ways; `bytes` a clip. */
type CodedSide = Fidelity & { readonly bytes: number; readonly frechet?: number | undefined };
export type RateComparison =
  | { readonly clips: number; readonly latents: CodedSide; readonly h264: CodedSide }
  /** Nothing here codes H.264, and why. */
  | { readonly clips: 0; readonly missing: string };

export type ReconstructionReport = {
  /** Trained subjects in held-out triples: the clips of the ceiling. */
  readonly trained: FidelitySummary & { readonly byMotion: Readonly<Record<string, FidelitySummary>> };
  /** Absent where the data holds no unseen subject. */
  readonly unseen?: FidelitySummary | undefined;
  /** Between real clips and their reconstructions, in features of our own network. */
  readonly frechet?: number | undefined;
  readonly unseenFrechet?: number | undefined;
  readonly coded?: RateComparison | undefined;
  readonly unseenCoded?: RateComparison | undefined;
  readonly seam: { readonly clips: number; readonly reconstructed: SeamSteps; readonly real: SeamSteps };
};

export type EvaluationReport = {
  readonly format: 2;
  readonly command: string;
  /** The command for each part alone. */
  readonly commands: Readonly<Partial<Record<Part, string>>>;
  /** Time of its end, ISO 8601. */
  readonly date: string;
  readonly machine: {
    readonly processor: string;
    readonly cores: number;
    readonly memoryBytes: number;
    readonly node: string;
  };
  readonly model: {
    readonly directory: string;
    readonly sha256: string;
    readonly bytes: number;
    /** What it was trained on, where it says so: nothing else was asked of it. */
    readonly trained?: TrainingRecord | undefined;
  };
  /** Fingerprint of the emoji world that the clips were scored against. */
  readonly data: string;
  readonly settings: Settings;
  /** Real clips of each set's scenes: the most that the scorer gives. */
  readonly ceiling: Readonly<Partial<Record<SetName, Scores>>>;
  /** Real clips against each other's prompts. */
  readonly ceilingFloor: Readonly<Partial<Record<SetName, ScoreSummary>>>;
  readonly generated: readonly SetReport[];
  /** The main set's real clips through the VAE: the most that the denoiser's part of the model could reach. */
  readonly vaeCeiling?: Scores | undefined;
  readonly reconstruction?: ReconstructionReport | undefined;
  /** Name of the network behind every Fréchet distance. */
  readonly features?: string | undefined;
  readonly speed: {
    readonly seconds: number;
    readonly peakMemoryBytes: number;
    readonly secondsPerClip?: SecondsPerClip | undefined;
    /** One prompt to one file, the model loaded for it. */
    readonly video?: VideoTiming | undefined;
  };
  readonly bars: readonly BarResult[];
  /** Files of the plain prompts' clips, in their order. */
  readonly plainPrompts?: readonly { readonly prompt: string; readonly file: string }[] | undefined;
};

/** The report of one set in one language, if there is one. */
export const setOf = (
  { generated }: Pick<EvaluationReport, 'generated'>,
  set: SetName,
  language: Language,
): SetReport | undefined => generated.find((each) => each.set === set && each.language === language);

/** What the Fréchet distance is called wherever it is shown. */
export const FRECHET_NAME = 'Fréchet distance of our own feature network';
