/**
 * The real subjects' names without their pixels, and scenes to caption: captions need no more.
 */
import fc from 'fast-check';
import { type Background, COLOUR_NAMES } from '../../src/data/background.ts';
import { CAMERAS } from '../../src/data/camera.ts';
import { SIZES, SPEEDS, type Told } from '../../src/data/captions-facts.ts';
import { MOTIONS } from '../../src/data/motion.ts';
import { PLACES } from '../../src/data/scene.ts';
import { SCENERIES } from '../../src/data/scenery.ts';
import { SUBJECTS } from '../../src/data/subjects.ts';
import { createWorld, type World } from '../../src/data/world.ts';

export function namesOnly(): World {
  const subjects = SUBJECTS.map(({ id, codepoint, role, english, chinese, measure }) => ({
    ...{ id, codepoint, role, measure, english: [...english], chinese: [...chinese] },
    ...{ labels: { en: id, zh: id }, frames: 1, size: 1, source: '', sha256: '' },
  }));
  return createWorld(subjects, new Map());
}

const trained = SUBJECTS.flatMap(({ id, role }) => (role === 'trained' ? [id] : []));
const colour = fc.constantFrom(...COLOUR_NAMES);
const gradient = fc.tuple(colour, colour).filter(([top, bottom]) => top !== bottom);
const background: fc.Arbitrary<Background> = fc.oneof(
  colour,
  fc.constantFrom(...SCENERIES),
  gradient.map(([top, bottom]): Background => `${top}>${bottom}`),
);

/** Scenes as training has them: a camera moves only over a scenery, what stands still has no speed, pairs have no size. */
export const scenes: fc.Arbitrary<Told> = fc
  .record({
    subjects: fc.uniqueArray(fc.constantFrom(...trained), { minLength: 1, maxLength: 2 }),
    ...{ background, motion: fc.constantFrom(...MOTIONS), size: fc.constantFrom(...SIZES) },
    ...{ speed: fc.constantFrom(...SPEEDS), camera: fc.constantFrom(...CAMERAS), place: fc.constantFrom(...PLACES) },
  })
  .map(({ subjects: [subject, second], place, ...scene }) => ({
    ...{ ...scene, subject: subject! },
    ...(scene.motion === 'still' ? { speed: 'normal' as const } : {}),
    ...((SCENERIES as readonly string[]).includes(scene.background) ? {} : { camera: 'static' as const }),
    ...(second === undefined ? {} : { size: 'medium' as const, second: { subject: second, place } }),
  }));
