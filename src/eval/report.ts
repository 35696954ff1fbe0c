/**
 * What an evaluation found, as data and as a table for the terminal. Measures nothing.
 */
import type { Language } from '../data/captions.ts';
import { MOTIONS } from '../data/motion.ts';
import type { Triple } from '../data/split.ts';
import type { StageSeconds } from './generated-clips.ts';
import type { FidelitySummary, SeamSteps } from './reconstruction.ts';
import { formatScores, type ScoreSummary } from './scorer.ts';
import type { Scores } from './scores.ts';
import type { Part, Settings } from './settings.ts';

type ByLanguage<T> = Partial<Record<Language, T>>;

/** One generated clip, so that every share can be counted again. */
export type ClipRecord = {
  readonly language: Language;
  readonly triple: Triple;
  readonly prompt: string;
  readonly seed: number;
  readonly predicted: { readonly subject: string; readonly background: string; readonly motion: string };
  readonly likeness: number;
};

export type GeneratedReport = {
  readonly scores: ByLanguage<Scores>;
  /** The same clips against each other's prompts. */
  readonly floor: ByLanguage<ScoreSummary>;
  /** Wall time, compilation included; `total` is the sum of the stages. */
  readonly secondsPerClip: StageSeconds & { readonly total: number };
  readonly clips: readonly ClipRecord[];
};

export type ReconstructionReport = {
  /** Trained subjects in held-out triples: the clips of the ceiling. */
  readonly trained: FidelitySummary & { readonly byMotion: Readonly<Record<string, FidelitySummary>> };
  /** Absent where the data holds no unseen subject. */
  readonly unseen?: FidelitySummary | undefined;
  readonly seam: { readonly clips: number; readonly reconstructed: SeamSteps; readonly real: SeamSteps };
};

export type EvaluationReport = {
  readonly format: 1;
  readonly command: string;
  /** The command for each part alone. */
  readonly commands: Readonly<Partial<Record<Part, string>>>;
  readonly model: { readonly directory: string; readonly sha256: string };
  /** Fingerprint of the emoji world that the clips were scored against. */
  readonly data: string;
  readonly settings: Settings;
  /** Real clips of the same triples: the most that the scorer gives. */
  readonly ceiling: Scores;
  readonly generated?: ByLanguage<Scores> | undefined;
  readonly floor?: ByLanguage<ScoreSummary> | undefined;
  /** The real clips through the VAE: the most that the denoiser's part of the model could reach. */
  readonly vaeCeiling?: Scores | undefined;
  readonly reconstruction?: ReconstructionReport | undefined;
  readonly speed: {
    readonly seconds: number;
    readonly peakMemoryBytes: number;
    readonly secondsPerClip?: GeneratedReport['secondsPerClip'] | undefined;
  };
  readonly clips: readonly ClipRecord[];
};

/** The report as text, a block a question, each block with the command that asks it. */
export function formatReport(report: EvaluationReport): string {
  return [
    head(report),
    scoresBlock(report),
    kindsBlock('motion', MOTIONS, report),
    kindsBlock('subject', Object.keys(report.ceiling.bySubject), report),
    reconstructionBlock(report),
    speedBlock(report),
    report.settings.parts.length > 1 ? `all of it: ${report.command}` : '',
  ]
    .filter((block) => block !== '')
    .join('\n\n');
}

function head({ model, settings }: EvaluationReport): string {
  const { triples, seed, steps, guidanceScale, timeShift, frames, parts } = settings;
  const sampling = `${frames} frames, ${steps} steps, guidance ${guidanceScale}, time shift ${timeShift}`;
  return [
    `${model.directory} (sha256 ${model.sha256.slice(0, 16)})`,
    `${triples} held-out triples, seed ${seed}${parts.includes('generated') ? `, ${sampling}` : ''}`,
  ].join('\n');
}

/** Rows of scored sets in the order of their meaning: the most that can be reached, what is reached, chance. */
function scoredSets({ ceiling, vaeCeiling, generated = {} }: EvaluationReport): Record<string, Scores> {
  const rows = Object.entries(generated).map(([language, scores]) => [`generated, ${language}`, scores] as const);
  return {
    'real clips': ceiling,
    ...(vaeCeiling && { 'through the VAE': vaeCeiling }),
    ...Object.fromEntries(rows),
  };
}

function scoresBlock(report: EvaluationReport): string {
  const floors = Object.entries(report.floor ?? {}).map(([language, floor]) => [`wrong prompts, ${language}`, floor]);
  const table = formatScores({ ...scoredSets(report), ...Object.fromEntries(floors) });
  return [table, ...(report.commands.generated ? [report.commands.generated] : [])].join('\n');
}

/** How often each kind of one part was right, beside all three parts together for generated clips. */
function kindsBlock(part: 'motion' | 'subject', kinds: readonly string[], report: EvaluationReport): string {
  const sets = Object.entries(scoredSets(report));
  const of = (scores: Scores, kind: string): ScoreSummary | undefined =>
    (part === 'motion' ? (scores.byMotion as Scores['bySubject']) : scores.bySubject)[kind];
  const rows = kinds.flatMap((kind) => {
    const clips = of(report.ceiling, kind)?.clips;
    if (clips === undefined) return [];
    return [[kind, String(clips), ...sets.map(([, scores]) => of(scores, kind)?.[part].toFixed(2) ?? '')]];
  });
  return table([[`${part} right`, 'clips', ...sets.map(([name]) => name)], ...rows]);
}

function reconstructionBlock({ reconstruction, commands }: EvaluationReport): string {
  if (!reconstruction) return '';
  const { trained, unseen, seam } = reconstruction;
  const row = (name: string, { clips, psnr, ssim }: FidelitySummary) => [
    name,
    String(clips),
    psnr.toFixed(2),
    ssim.toFixed(3),
  ];
  const rows = [
    ['VAE reconstruction', 'clips', 'PSNR dB', 'SSIM'],
    row('trained subjects, held-out triples', trained),
    ...(unseen ? [row('unseen subjects', unseen)] : []),
    ...Object.entries(trained.byMotion).map(([motion, summary]) => row(`  ${motion}`, summary)),
  ];
  const steps = ({ before, at, after }: SeamSteps) => [before, at, after].map((step) => step.toFixed(2)).join(' ');
  return [
    table(rows),
    `steps before, at and after the seam of two chunks over a normal step (${seam.clips} clips of 34 frames): ` +
      `${steps(seam.reconstructed)}, in the real clips ${steps(seam.real)}`,
    ...(commands.reconstruction ? [commands.reconstruction] : []),
  ].join('\n');
}

function speedBlock({ speed }: EvaluationReport): string {
  const { seconds, peakMemoryBytes, secondsPerClip } = speed;
  const perClip = secondsPerClip
    ? `${secondsPerClip.total.toFixed(2)} s a clip (text ${secondsPerClip.text.toFixed(2)}, ` +
      `denoising ${secondsPerClip.denoise.toFixed(2)}, decoding ${secondsPerClip.decode.toFixed(2)}), `
    : '';
  return `speed: ${perClip}${seconds.toFixed(0)} s in all, peak memory ${(peakMemoryBytes / 1e9).toFixed(2)} GB`;
}

/** First column to the left, the others to the right, as wide as they need to be. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)));
  return rows
    .map((cells) => cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '))
    .join('\n');
}
