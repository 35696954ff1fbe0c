/**
 * A directory of someone's own clips as a source: which are used, which are held out, and where in them clip i of a seed
 * lies. Knows no networks; decoded frames are the cache's.
 */
import { inputError, StepVideoError } from '../errors.ts';
import { clipCache, type DecodeSettings, type StoredClip } from './clip-cache.ts';
import { type ClipFile, scanClipFolder } from './clip-folder.ts';
import type { ClipSource, ClipStream, FolderReport, StreamOptions } from './clip-source.ts';
import { hashText, mix32, type Random, randomStream } from './random.ts';
import { ASPECTS, type Aspect } from './scene.ts';
import { sha256 } from './world.ts';

/** One clip in this many is held out, by a hash of its name: more clips do not move those that are there. */
const HELD_OUT_ONE_IN = 10;

export type FolderOptions = {
  readonly decode: DecodeSettings;
  /** Leave out clips that have none: what needs text cannot learn from them. */
  readonly captions: boolean;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
};

type Clip = { readonly file: ClipFile; readonly stored: StoredClip };

/**
 * Reads names and captions; clips are decoded when a stream is asked for.
 * @throws data error where there are no clips, or none with a caption where captions are needed.
 */
export async function folderSource(directory: string, options: FolderOptions): Promise<ClipSource> {
  const { decode, captions, onProgress } = options;
  const { files, orphans } = await scanClipFolder(directory);
  const skipped = new Map<string, string>(orphans.map((name) => [name, 'there is no clip beside this caption']));
  const notes = new Set<string>();
  const refuse = (rule: string, got?: unknown, hint?: string): StepVideoError =>
    new StepVideoError('data', `clips ${directory}`, rule, got, hint);
  if (files.length === 0) throw refuse('there must be a clip', 'none', 'step-video data check on the right folder');
  for (const { name, captionProblem } of captions ? files : [])
    if (captionProblem !== undefined) skipped.set(name, captionProblem);
  const wanted = files.filter(({ name }) => !skipped.has(name));
  /** Once clips are decoded, of those that could be. */
  const texts = (): string[] => wanted.flatMap(({ name, captions }) => (skipped.has(name) ? [] : captions));
  if (wanted.length === 0) throw refuse('some clip must have a caption', files[0]!.captionProblem);

  const cache = clipCache(decode);
  const decoded = new Map<string, Promise<Clip[]>>();
  const decodeAll = async (aspect: Aspect, signal: AbortSignal | undefined): Promise<Clip[]> => {
    const stored = await cache.decode(wanted, { shape: ASPECTS[aspect], signal, onProgress });
    const usable = wanted.flatMap((file, i) => {
      const each = stored[i]!;
      if (typeof each !== 'string') return [{ file, stored: each }];
      skipped.set(file.name, each);
      return [];
    });
    if (usable.length === 0) throw refuse('some clip must decode', [...skipped].map((each) => each.join(': '))[0]);
    return usable;
  };
  const usableClips = (aspect: Aspect = 'square', signal?: AbortSignal): Promise<Clip[]> => {
    if (!decoded.has(aspect)) decoded.set(aspect, decodeAll(aspect, signal));
    return decoded.get(aspect)!;
  };
  let heldOut: ReadonlySet<string> | undefined;
  let used = 0;

  const source: ClipSource = {
    vocabulary: { corpus: texts, chineseWords: () => chineseWordsOf(texts()), words: texts },
    isDrawn: false,
    longest: async (signal) => longestOf(await usableClips(undefined, signal)),
    async stream(request) {
      const { frames, part, aspect, scenes, signal } = request;
      if (scenes && (scenes.inside || scenes.centred || scenes.balanced || scenes.mix || scenes.motions))
        throw inputError('train', 'scenes is for emoji world, whose clips are drawn', directory, 'buckets without it');
      if (part === 'unseen') return undefined;
      const all = await usableClips(aspect, signal);
      used = all.length;
      heldOut ??= heldOutNames(all.map(({ file, stored }) => ({ stem: file.stem, frames: stored.frames })));
      const isHeldOut = heldOut;

      const long = all.filter(({ file, stored }) => {
        if (stored.frames >= frames) return true;
        const length = stored.frames === 1 ? 'a single picture' : `${stored.frames} frames at ${decode.fps} a second`;
        skipped.set(`${file.name}, in clips of ${frames}`, `${length}, ${frames} are needed`);
        return false;
      });
      const own = (held: boolean): Clip[] => long.filter(({ file }) => isHeldOut.has(file.stem) === held);
      const isTraining = part === 'train';
      let chosen = own(!isTraining);
      if (long.length === 0)
        throw refuse(`some clip must have ${frames} frames at ${decode.fps} a second`, longestOf(all), 'longer clips');
      if (chosen.length === 0) {
        notes.add(
          isTraining
            ? `every clip of ${frames} frames is held out by its name: training is on them all the same`
            : `no clip of ${frames} frames is held out: validation is on clips of the training`,
        );
        chosen = long;
      }
      return streamOf(chosen, request);
    },
    report(): FolderReport {
      return {
        clips: used,
        heldOut: heldOut?.size ?? 0,
        skipped: [...skipped].map(([name, reason]) => ({ name, reason })),
        notes: [...notes],
      };
    },
  };
  return source;
}

const longestOf = (clips: readonly Clip[]): number => Math.max(...clips.map(({ stored }) => stored.frames));

/** Names to be held out: by hash, but at least one, and never all; one that moves rather than a picture. */
export function heldOutNames(clips: readonly { stem: string; frames: number }[]): ReadonlySet<string> {
  const stems = [...new Set(clips.map(({ stem }) => stem))].sort(
    (a, b) => hashText(a) - hashText(b) || (a < b ? -1 : 1),
  );
  if (stems.length < 2) return new Set();
  const held = stems.filter((stem) => hashText(stem) % HELD_OUT_ONE_IN === 0);
  if (held.length === stems.length) return new Set(held.slice(1));
  if (held.length > 0) return new Set(held);
  const moving = new Set(clips.flatMap(({ stem, frames }) => (frames > 1 ? [stem] : [])));
  // An only moving clip is for training.
  return new Set([stems.find((stem) => moving.has(stem) === moving.size > 1)!]);
}

function streamOf(clips: readonly Clip[], { seed, frames, aspect = 'square', crop }: StreamOptions): ClipStream {
  const { width, height } = crop === undefined ? ASPECTS[aspect] : { width: crop, height: crop };
  const isFixed = ({ stored }: Clip): boolean =>
    stored.frames === frames && stored.width === width && stored.height === height;
  let shuffled = { epoch: -1, order: [] as number[] };
  const clipAt = (index: number): Clip => {
    const epoch = Math.floor(index / clips.length);
    if (shuffled.epoch !== epoch)
      shuffled = { epoch, order: shuffle(clips.length, randomStream(seed, mix32(epoch + 1))) };
    return clips[shuffled.order[index % clips.length]!]!;
  };
  return {
    identity: sha256(JSON.stringify(clips.map(({ file, stored }) => [file.name, stored.sha256]))),
    files: clips.length,
    distinct: clips.every(isFixed) ? clips.length : Number.POSITIVE_INFINITY,
    async clip(index) {
      const { stored } = clipAt(index);
      const random = randomStream(seed, index);
      const first = random.integer(stored.frames - frames + 1);
      const left = random.integer(stored.width - width + 1);
      const top = random.integer(stored.height - height + 1);
      const whole = await stored.read(first, frames);
      const window = { left, top, width, height };
      return { pixels: cut(whole, stored, window), frames, width, height };
    },
    captions: (index) => clipAt(index).file.captions,
    caption(index) {
      const { captions } = clipAt(index).file;
      return captions[index % captions.length] ?? '';
    },
  };
}

/** A window of every frame of `pixels`, RGB8 [frames, size.height, size.width, 3]. */
function cut(
  pixels: Uint8Array,
  size: { readonly width: number; readonly height: number },
  window: { left: number; top: number; width: number; height: number },
): Uint8Array {
  if (window.width === size.width && window.height === size.height) return pixels;
  const frames = pixels.length / (size.width * size.height * 3);
  const row = window.width * 3;
  const out = new Uint8Array(frames * window.height * row);
  for (let t = 0; t < frames; t++)
    for (let y = 0; y < window.height; y++) {
      const from = ((t * size.height + window.top + y) * size.width + window.left) * 3;
      out.set(pixels.subarray(from, from + row), (t * window.height + y) * row);
    }
  return out;
}

/** 0 … count - 1 in random order. */
function shuffle(count: number, random: Random): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

const segmenter = new Intl.Segmenter('zh', { granularity: 'word' });

/** Chinese words of more than one character in `texts`, each once. */
function chineseWordsOf(texts: readonly string[]): string[] {
  const words = new Set<string>();
  for (const text of texts)
    for (const { segment } of segmenter.segment(text)) if (/^\p{Script=Han}{2,}$/u.test(segment)) words.add(segment);
  return [...words];
}
