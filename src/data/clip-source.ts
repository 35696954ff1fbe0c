/**
 * Where training clips come from, whatever they are: emoji world (`emoji-source.ts`) or a folder of someone's own
 * (`folder-source.ts`). Types alone. Cutting long videos into shots and filtering clips would be sources around a source.
 */
import type { Aspect, Scene } from './scene.ts';
import type { SceneChoice } from './scene-choice.ts';

/** One clip, `pixels` being RGB8 [frames, height, width, 3]. */
export type ClipPixels = {
  readonly pixels: Uint8Array;
  readonly frames: number;
  readonly height: number;
  readonly width: number;
};

/**
 * `train` is what networks learn from; `validation` clips score a run on its way: other draws of an endless world, the
 * held-out files of a folder; `held-out` was never trained on; `unseen` not even its subjects.
 */
export type StreamPart = 'train' | 'validation' | 'held-out' | 'unseen';

/** Clips of `frames` frames (1: stills) in an aspect (square unless told); `crop`: squares of that side cut out of them. */
export type StreamOptions = {
  readonly seed: number;
  readonly frames: number;
  readonly part: StreamPart;
  readonly aspect?: Aspect | undefined;
  readonly crop?: number | undefined;
  /** What drawn clips show: filtered, balanced or in another mix. */
  readonly scenes?: SceneChoice | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** Clips of one shape; clip i is a function of (seed, i), so that a run resumes from one integer. */
export interface ClipStream {
  /** Hash of what the clips are made of: what was computed from others must not be taken for these. */
  readonly identity: string;
  /** How many of the clips differ; Infinity where every index gives another one. */
  readonly distinct: number;
  /** How many files they are cut out of, each once in so many clips from the first; Infinity where there are no files. */
  readonly files: number;
  clip(index: number): ClipPixels | Promise<ClipPixels>;
  /** All captions of clip `index` that training may draw from. */
  captions(index: number): readonly string[];
  /** One of its captions, to be shown; languages take turns where there are several. */
  caption(index: number): string;
  /** What is in it, where clips are drawn from a scene that says so. */
  readonly scene?: (index: number) => Scene;
}

/** What of a folder is used; `skipped` names the rest with a reason each, `notes` are remarks on what is used. */
export type FolderReport = {
  readonly clips: number;
  readonly heldOut: number;
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
  readonly notes: readonly string[];
};

/** The same of any source: notes alone where clips are made. */
export type DataReport = Partial<FolderReport> & Pick<FolderReport, 'notes'>;

export interface ClipSource {
  /** What a model's vocabularies are built from. */
  readonly vocabulary: {
    /** Text with every word about as often as training sees it. */
    corpus(): string[];
    /** Chinese words to be kept whole. */
    chineseWords(): string[];
    /** Texts that hold every word at least once. */
    words(): string[];
  };
  /** Whether clips are drawn, without end and of any length: the beginning of a long one is as good as a short one. */
  readonly isDrawn: boolean;
  /** Frames of the longest clip; Infinity where they are drawn. */
  longest(signal?: AbortSignal): Promise<number>;
  /** Undefined where there are no such clips. @throws data error where `train` would have none; aborted error. */
  stream(options: StreamOptions): Promise<ClipStream | undefined>;
  /** Undefined where clips are made, so that none can be bad. Complete once all streams have been asked for. */
  report(): FolderReport | undefined;
}
