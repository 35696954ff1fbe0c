/**
 * What training would make of a directory of clips: every file decoded once, listed with its facts or with what is wrong
 * with it. Keeps no frames and trains nothing.
 */
import { setImmediate } from 'node:timers/promises';
import { StepVideoError } from '../errors.ts';
import { problemText } from './clip-cache.ts';
import { clipFacts, framesAt, wholeFrames } from './clip-file.ts';
import { type ClipFile, scanClipFolder } from './clip-folder.ts';
import { heldOutNames } from './folder-source.ts';

export type CheckedClip = {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** Of the file; 0 for a still, and where the file does not say: its frames then count as frames of training. */
  readonly fps: number;
  readonly frames: number;
  /** Frames that training sees at `fps` of the check. */
  readonly framesAtRate: number;
  readonly captions: number;
  /** Why the denoiser cannot learn from it. */
  readonly captionProblem?: string | undefined;
  readonly heldOut: boolean;
};

export type ClipCheck = {
  readonly directory: string;
  readonly fps: number;
  readonly clips: readonly CheckedClip[];
  /** Files that no stage uses. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
};

export type CheckOptions = {
  readonly fps: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
};

/** Decodes every clip below `directory`. @throws data error where the directory cannot be read; aborted error. */
export async function checkClips(directory: string, { fps, signal, onProgress }: CheckOptions): Promise<ClipCheck> {
  const { files, orphans } = await scanClipFolder(directory);
  const skipped = orphans.map((name) => ({ name, reason: 'there is no clip beside this caption' }));
  const found: Omit<CheckedClip, 'heldOut'>[] = [];
  const stems = new Map<string, string>();
  for (const [i, file] of files.entries()) {
    await setImmediate();
    if (signal?.aborted) throw new StepVideoError('aborted', 'data check', `stopped at clip ${i} of ${files.length}`);
    const checked = await checkFile(file, fps, signal);
    if (typeof checked === 'string') skipped.push({ name: file.name, reason: checked });
    else found.push(checked);
    stems.set(file.name, file.stem);
    onProgress?.(i + 1, files.length);
  }
  const held = heldOutNames(found.map(({ name, framesAtRate }) => ({ stem: stems.get(name)!, frames: framesAtRate })));
  const clips = found.map((clip) => ({ ...clip, heldOut: held.has(stems.get(clip.name)!) }));
  return { directory, fps, clips, skipped };
}

/** What the file is, or what is wrong with it. */
async function checkFile(
  { name, path, captions, captionProblem }: ClipFile,
  fps: number,
  signal: AbortSignal | undefined,
): Promise<Omit<CheckedClip, 'heldOut'> | string> {
  try {
    const facts = await clipFacts(path);
    let frames = 0;
    for await (const _ of wholeFrames(path, facts, signal)) frames += 1;
    const whole = { ...facts, frames };
    return { name, ...whole, framesAtRate: framesAt(whole, fps), captions: captions.length, captionProblem };
  } catch (error) {
    if (!(error instanceof StepVideoError) || error.kind !== 'data') throw error;
    return problemText(error);
  }
}

/** Lengths that buckets ask for most. */
const LENGTHS = [17, 34, 68];

/** The check as text: a line a clip, then what is left out, then sums. */
export function formatCheck({ directory, fps, clips, skipped }: ClipCheck): string {
  const width = Math.max(4, ...clips.map(({ name }) => name.length));
  const rows = clips.map((clip) =>
    [
      clip.name.padEnd(width),
      `${clip.width}x${clip.height}`.padStart(9),
      (clip.fps > 0 ? Number(clip.fps.toFixed(2)).toString() : '').padStart(6),
      (clip.framesAtRate > 1 ? (clip.framesAtRate / fps).toFixed(1) : 'still').padStart(7),
      String(clip.framesAtRate).padStart(6),
      String(clip.captions).padStart(8),
      clip.heldOut ? 'held out' : '',
    ]
      .join('  ')
      .trimEnd(),
  );
  const head = `${'clip'.padEnd(width)}       size     fps  seconds  frames  captions`;
  const silent = clips.filter(({ captionProblem }) => captionProblem !== undefined);
  const moving = clips.filter(({ framesAtRate }) => framesAtRate > 1);
  const seconds = moving.reduce((sum, { framesAtRate }) => sum + framesAtRate / fps, 0);
  const lengths = LENGTHS.map((length) => {
    const count = moving.filter(({ framesAtRate }) => framesAtRate >= length).length;
    return `${count} of at least ${length} frames`;
  });
  const list = (title: string, items: readonly { name: string; reason: string }[]): string[] =>
    items.length === 0 ? [] : [title, ...items.map(({ name, reason }) => `  ${name}: ${reason}`)];
  return [
    ...(clips.length > 0 ? [head, ...rows] : []),
    ...list(
      'without a caption: the VAE learns from them, the denoiser does not',
      silent.map(({ name, captionProblem }) => ({ name, reason: captionProblem! })),
    ),
    ...list('skipped', skipped),
    `${directory}: ${clips.length} clips, ${clips.filter(({ heldOut }) => heldOut).length} of them held out, ` +
      `${clips.length - moving.length} stills, ${clips.length - silent.length} with captions, ${skipped.length} skipped`,
    `at ${fps} frames a second: ${seconds.toFixed(1)} seconds; ${lengths.join(', ')}`,
  ].join('\n');
}
