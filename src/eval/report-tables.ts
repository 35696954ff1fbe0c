/**
 * The tables of a report, as rows of text, for whichever form they are shown in. Lays nothing out.
 */
import { CLIP_SIZE } from './clip-pixels.ts';
import type { FidelitySummary, SeamSteps } from './reconstruction.ts';
import { type EvaluationReport, FRECHET_NAME, type RateComparison, setOf } from './report.ts';
import type { Kind, Measures, ScoreSummary, Scores } from './scores.ts';

/** First row: headings. First column: names. */
export type Table = readonly (readonly string[])[];

const share = (value: number | undefined): string => (value === undefined ? '' : value.toFixed(2));

const SET_NAMES = {
  main: 'held-out triples',
  paraphrased: 'paraphrased',
  sceneries: 'sceneries, cameras',
  pairs: 'two subjects',
} as const;

type Scored = ScoreSummary & { readonly measures?: Measures };

/** Scored sets in the order of their meaning: the most that can be reached, what is reached, chance. */
function scoredSets(report: EvaluationReport): [name: string, scores: Scored][] {
  const { ceiling, ceilingFloor, vaeCeiling, generated } = report;
  return (['main', 'paraphrased', 'sceneries', 'pairs'] as const).flatMap((set): [string, Scored][] => {
    const its = generated.filter((each) => each.set === set);
    const real = ceiling[set];
    const floor = ceilingFloor[set];
    return [
      ...(real ? [[`real clips, ${SET_NAMES[set]}`, real] as [string, Scored]] : []),
      ...(set === 'main' && vaeCeiling ? [['through the VAE', vaeCeiling] as [string, Scored]] : []),
      ...its.map(({ language, scores }): [string, Scored] => [`generated, ${SET_NAMES[set]}, ${language}`, scores]),
      ...its.map((each): [string, Scored] => [`wrong prompts, ${SET_NAMES[set]}, ${each.language}`, each.floor]),
      ...(real && floor && its.length === 0
        ? [[`real clips, wrong prompts, ${SET_NAMES[set]}`, floor] as [string, Scored]]
        : []),
    ];
  });
}

/** Shares of clips that show what was asked for. */
export function scoresTable(report: EvaluationReport): Table {
  const rows = scoredSets(report).map(([name, scores]) => [
    name,
    String(scores.clips),
    ...[scores.subject, scores.background, scores.motion, scores.all, scores.camera, scores.count, scores.place].map(
      share,
    ),
  ]);
  return [['', 'clips', 'subject', 'background', 'motion', 'all three', 'camera', 'count', 'place'], ...rows];
}

/** How steady clips are, whatever they show. */
export function measuresTable(report: EvaluationReport): Table {
  const rows = scoredSets(report).flatMap(([name, { measures }]) => {
    if (!measures) return [];
    const { flicker } = measures;
    return [
      [
        ...[name, share(measures.likeness), share(measures.identity), share(measures.roughness)],
        ...[flicker?.all, flicker?.background, flicker?.subject].map(share),
      ],
    ];
  });
  return [['', 'likeness', 'identity', 'roughness', 'flicker', 'background', 'subject'], ...rows];
}

/** How often each kind was right in the main set, sceneries for cameras, beside the ceiling. */
export function kindsTable(report: EvaluationReport, kind: Kind): Table {
  const set = kind === 'camera' ? 'sceneries' : 'main';
  const columns: [name: string, scores: Scores | undefined][] = [
    ['real clips', report.ceiling[set]],
    ['through the VAE', set === 'main' ? report.vaeCeiling : undefined],
    ['generated, en', setOf(report, set, 'en')?.scores],
    ['generated, zh', setOf(report, set, 'zh')?.scores],
  ];
  const given = columns.filter(([, scores]) => scores !== undefined);
  const real = report.ceiling[set]?.by[kind] ?? {};
  const rows = Object.entries(real).map(([name, { clips }]) => [
    name,
    String(clips),
    ...given.map(([, scores]) => share(scores!.by[kind][name]?.[kind])),
  ]);
  return rows.length === 0 ? [] : [[`${kind} right`, 'clips', ...given.map(([name]) => name)], ...rows];
}

/** PSNR and SSIM, and H.264 beside them. */
export function reconstructionTable({ reconstruction, features }: EvaluationReport): Table {
  if (!reconstruction) return [];
  const { trained, unseen, frechet, unseenFrechet, coded, unseenCoded } = reconstruction;
  const far = (value: number | undefined): string[] => (features === undefined ? [] : [value?.toFixed(3) ?? '']);
  const row = (name: string, { clips, psnr, ssim }: FidelitySummary, distance?: number, bytes?: number): string[] => [
    ...[name, String(clips), psnr.toFixed(2), ssim.toFixed(3)],
    ...[...far(distance), bytes === undefined ? '' : (bytes / 1000).toFixed(2)],
  ];
  const pair = (name: string, comparison: RateComparison | undefined): string[][] => {
    if (!comparison || comparison.clips === 0 || !('h264' in comparison)) return [];
    const { clips, latents, h264 } = comparison;
    return [
      row(`${name}, latents of 8 bits`, { clips, ...latents }, latents.frechet, latents.bytes),
      row(`${name}, H.264 in no more bytes`, { clips, ...h264 }, h264.frechet, h264.bytes),
    ];
  };
  return [
    ['VAE reconstruction', 'clips', 'PSNR dB', 'SSIM', ...(features === undefined ? [] : ['Fréchet']), 'kB a clip'],
    row('trained subjects, held-out triples', trained, frechet),
    ...(unseen ? [row('unseen subjects', unseen, unseenFrechet)] : []),
    ...pair('trained', coded),
    ...pair('unseen', unseenCoded),
    ...Object.entries(trained.byMotion).map(([motion, summary]) => row(`  ${motion}`, summary)),
  ];
}

/** Sentences about what the reconstruction table does not hold. */
export function reconstructionNotes({ reconstruction, features }: EvaluationReport): string[] {
  if (!reconstruction) return [];
  const { seam, coded } = reconstruction;
  const steps = ({ before, at, after }: SeamSteps) => [before, at, after].map((step) => step.toFixed(2)).join(' ');
  return [
    `steps before, at and after the seam of two chunks over a normal step (${seam.clips} clips of 34 frames): ` +
      `${steps(seam.reconstructed)}, in the real clips ${steps(seam.real)}`,
    ...(coded && 'missing' in coded ? [`no H.264 beside it: ${coded.missing}`] : []),
    ...(features === undefined ? [] : [`Fréchet: ${FRECHET_NAME}, ${features}`]),
  ];
}

/** Distance of generated clips from real ones. */
export const frechetNotes = ({ generated, features }: EvaluationReport): string[] =>
  generated.flatMap(({ set, language, frechet }) =>
    frechet === undefined ? [] : [`${FRECHET_NAME} (${features}), ${set}, ${language}: ${frechet.toFixed(3)}`],
  );

/** Each bar, what was reached, what it asks, and a mark. */
export function barsTable({ bars }: EvaluationReport): Table {
  const digits = (value: number): string => (Math.abs(value) < 10 ? value.toFixed(2) : value.toFixed(1));
  return [
    ['bar', 'reached', 'asked', ''],
    ...bars.map(({ about, bound, bar, value, met }) => [
      about,
      value === undefined ? '' : digits(value),
      `${bound === 'least' ? '≥' : '≤'} ${digits(bar)}`,
      met === undefined ? 'open' : met ? 'met' : 'missed',
    ]),
  ];
}

/** Seconds and bytes. */
export function speedNotes({ speed }: EvaluationReport): string[] {
  const { seconds, peakMemoryBytes, secondsPerClip: each, video } = speed;
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;
  return [
    ...(video
      ? [
          `one prompt to ${video.format}, ${video.frames} frames, model opened for it: ${video.seconds.toFixed(1)} s ` +
            `(text ${video.text.toFixed(1)} with opening, denoising ${video.denoise.toFixed(1)}, decoding ${video.decode.toFixed(1)}), ` +
            `first preview ${video.firstPreview === undefined ? 'none' : `after ${video.firstPreview.toFixed(1)} s`}, ` +
            `peak memory so far ${gigabytes(video.peakMemoryBytes)}`,
        ]
      : []),
    ...(each
      ? [
          `one of many: ${each.total.toFixed(2)} s a clip (text ${each.text.toFixed(2)}, ` +
            `denoising ${each.denoise.toFixed(2)}, decoding ${each.decode.toFixed(2)})`,
        ]
      : []),
    `${seconds.toFixed(0)} s in all, peak memory ${gigabytes(peakMemoryBytes)}`,
  ];
}

/** Every score in one line. */
export const DEFINITIONS: readonly (readonly [score: string, definition: string])[] = [
  [
    'subject',
    'the sprite that the clip looks like most, by normalised correlation, among all trained subjects, is the one asked for; of two subjects both',
  ],
  ['background', 'the nearest named colour, gradient or painted scenery is the one asked for'],
  [
    'motion',
    'of all trajectories, with free start and pace, the one that fits the subject’s pose in each frame best is the one asked for',
  ],
  ['all three', 'subject, background and motion together'],
  ['camera', 'the pan or zoom under which the scenery’s own painter explains the clip best is the one asked for'],
  ['count', 'one subject, or two where two were asked for: two halves that look like sprites more than the whole does'],
  ['place', 'two subjects stand left and right, or above and below, as asked'],
  ['likeness', 'mean correlation of the frames with the sprite of the subject that was seen, at most 1'],
  ['identity', 'share of clips whose first and last frame, each alone, look most like the same subject'],
  ['roughness', 'root mean square distance of the subject from the fitted path, in 128ths of the picture’s side'],
  [
    'flicker',
    'F² = (1 − a)·B² + a·S²; B², S² are means of (x[t−1] − 2x[t] + x[t+1])²/6 in grey levels over the background clear of the subject and over the subject cut out at its pose, a is its share of the picture',
  ],
  ['seam', 'mean change from frame to frame where two chunks meet, over that of the steps away from there'],
  [
    'PSNR, SSIM',
    `of 8-bit RGB over the whole clip of ${CLIP_SIZE.width} × ${CLIP_SIZE.height}; SSIM with a Gaussian window of 11, mean of frames and channels`,
  ],
  [
    'latents of 8 bits',
    'latents clipped to ±4, rounded to 256 steps, deflated; H.264 is x264 (preset slow, 4:2:0) at the best rate factor whose stream is no larger',
  ],
  ['wrong prompts', 'the same clips held against every other prompt of their set: what chance gives'],
];
