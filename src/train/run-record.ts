/**
 * What a denoiser's run has seen, taken from the very scenes that it trains on, together with what its start had seen.
 * Does not know pixels or captions.
 */
import { backgroundColours, isScenery } from '../data/background.ts';
import type { ClipSource } from '../data/clip-source.ts';
import { readTrainingRecord, type TrainingRecord } from '../training-record.ts';
import type { DitTraining } from './config.ts';

/** Undefined where clips come from no scenes. */
export async function recordOfRun(config: DitTraining, source: ClipSource): Promise<TrainingRecord | undefined> {
  const start = config.start === undefined ? undefined : readTrainingRecord(config.start);
  const subjects = new Set(start?.subjects);
  const backgrounds = new Set(start?.backgrounds);
  const motions = new Set(start?.motions);
  const cameras = new Set(start?.cameras);
  const lengths = new Set(start?.frames);
  let pairs = start?.pairs ?? false;
  for (const { frames, aspect, scenes, clips } of config.buckets) {
    const stream = await source.stream({ seed: config.seed, frames, part: 'train', aspect, scenes });
    if (stream?.scene === undefined) return undefined;
    lengths.add(frames);
    for (let i = 0; i < clips; i++) {
      const { subject, second, background, motion, camera } = stream.scene(i);
      for (const id of second ? [subject, second.subject] : [subject]) subjects.add(id);
      for (const name of isScenery(background) ? [background] : backgroundColours(background)) backgrounds.add(name);
      // A still shows neither; its captions name them all the same, so what is asked of clips is what clips showed.
      if (frames === 1) continue;
      motions.add(motion);
      if (camera !== 'static') cameras.add(camera);
      pairs ||= second !== undefined;
    }
  }
  if (motions.size === 0) motions.add('still');
  return {
    ...{ format: 1, fps: config.decode.fps, frames: [...lengths].sort((a, b) => a - b) },
    ...{ subjects: sorted(subjects), backgrounds: sorted(backgrounds), motions: sorted(motions) },
    ...(cameras.size > 0 && { cameras: sorted(cameras) }),
    ...{ pairs, paraphrases: true },
  };
}

const sorted = (names: ReadonlySet<string>): string[] => [...names].sort();
