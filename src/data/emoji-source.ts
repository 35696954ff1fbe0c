/**
 * Emoji world as a source of clips: drawn when asked for, without end. Knows the splits; scenes and pixels are others'.
 */
import { allCaptionText, captionOf, captionsOf, captionWords, chineseWords } from './captions.ts';
import type { ClipSource, StreamPart } from './clip-source.ts';
import { clipSampler } from './clips.ts';
import { randomStream } from './random.ts';
import type { SampleOptions } from './sample.ts';
import { sha256, type World } from './world.ts';

const CAPTIONS_A_CLIP = 6;

/** A still is a frame from anywhere in a clip of this length, or the first one of a centred clip of the other. */
const STILL_FRAMES = 17;
const CENTRED_FRAMES = 34;

/** Raised whenever a seed and an index come to mean another clip: latents that are kept are of the clips of before. */
const DRAWING = 4;

const SCENES: Readonly<Record<StreamPart, SampleOptions>> = {
  train: {},
  validation: {},
  'held-out': { role: 'trained', split: 'held-out' },
  unseen: { role: 'unseen', split: 'any' },
};

export function emojiSource(world: World): ClipSource {
  const identity = sha256(JSON.stringify([DRAWING, world.subjects]));
  return {
    vocabulary: {
      corpus: () => allCaptionText(world),
      chineseWords: () => chineseWords(world),
      words: () => captionWords(world),
    },
    isDrawn: true,
    longest: async () => Number.POSITIVE_INFINITY,
    async stream({ seed, frames, part, aspect, crop, scenes = {} }) {
      if (part === 'unseen' && !world.subjects.some(({ role }) => role === 'unseen')) return undefined;
      const stills = frames === 1;
      const sampler = clipSampler({
        world,
        seed,
        stills,
        ...(scenes.balanced && { balanced: true }),
        frames: stills ? (scenes.centred ? CENTRED_FRAMES : STILL_FRAMES) : frames,
        scenes: {
          ...SCENES[part],
          ...(aspect !== undefined && { aspect }),
          ...(scenes.inside && { inside: true }),
          ...(scenes.centred && { centred: true }),
          ...(scenes.mix && { mix: scenes.mix }),
          ...(scenes.motions && { motions: scenes.motions }),
        },
        ...(crop !== undefined && { crop }),
      });
      return {
        identity,
        distinct: Number.POSITIVE_INFINITY,
        files: Number.POSITIVE_INFINITY,
        clip: (index) => sampler.clip(index),
        scene: (index) => sampler.scene(index),
        captions: (index) => captionsOf(world, sampler.scene(index), randomStream(seed + 1, index), CAPTIONS_A_CLIP),
        caption: (index) =>
          captionOf(world, sampler.scene(index), randomStream(seed + 1, index), index % 2 === 0 ? 'en' : 'zh'),
      };
    },
    report: () => undefined,
  };
}
