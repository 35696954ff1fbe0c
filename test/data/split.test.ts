import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COLOUR_NAMES } from '../../src/data/background.ts';
import { clipSampler } from '../../src/data/clips.ts';
import { MOTIONS } from '../../src/data/motion.ts';
import { randomStream } from '../../src/data/random.ts';
import { sampleScene } from '../../src/data/sample.ts';
import { allHeldOutTriples, heldOutTriples, isHeldOut } from '../../src/data/split.ts';
import { SUBJECTS } from '../../src/data/subjects.ts';
import { drawnWorld } from './drawn-world.ts';

const world = drawnWorld();
const trained = SUBJECTS.filter((subject) => subject.role === 'trained').map((subject) => subject.id);

describe('the split', () => {
  it('never lets a held-out triple or an unseen subject into training clips', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat({ max: 1e9 }), (seed, index) => {
        const { scene } = clipSampler({ world, seed, frames: 1, scale: 0.125 }).clip(index);
        expect(isHeldOut(scene)).toBe(false);
        expect(world.subject(scene.subject).role).toBe('trained');
      }),
      { numRuns: 500 },
    );
  });

  it('draws only held-out triples when asked to', () => {
    for (let i = 0; i < 100; i++)
      expect(isHeldOut(sampleScene(randomStream(1, i), world, { split: 'held-out' }))).toBe(true);
  });

  it('holds out 10 to 15 % of the real subjects’ triples, and leaves every pair of parts some training', () => {
    let held = 0;
    for (const subject of trained) {
      for (const background of COLOUR_NAMES) {
        const seen = MOTIONS.filter((motion) => !isHeldOut({ subject, background, motion }));
        held += MOTIONS.length - seen.length;
        expect(seen.length, `${subject} on ${background}`).toBeGreaterThan(2);
      }
    }
    const share = held / (trained.length * COLOUR_NAMES.length * MOTIONS.length);
    expect(share).toBeGreaterThan(0.1);
    expect(share).toBeLessThan(0.15);
  });

  it('is the same on every machine: a few triples by name', () => {
    const known = allHeldOutTriples(world).slice(0, 4);
    expect(known.map(({ subject, background, motion }) => `${subject} ${background} ${motion}`)).toMatchInlineSnapshot(`
      [
        "disk red bounce",
        "disk red grow",
        "disk orange down",
        "disk orange grow",
      ]
    `);
  });

  it('offers balanced, distinct, reproducible sets to score on', () => {
    const triples = heldOutTriples(world, 45, 7);
    expect(triples).toHaveLength(45);
    expect(new Set(triples.map((triple) => JSON.stringify(triple))).size).toBe(45);
    expect(triples.every(isHeldOut)).toBe(true);
    for (const [part, values] of [
      ['subject', world.subjects.filter((subject) => subject.role === 'trained').map((subject) => subject.id)],
      ['background', COLOUR_NAMES],
      ['motion', MOTIONS],
    ] as const) {
      const counts = values.map((value) => triples.filter((triple) => triple[part] === value).length);
      expect(Math.max(...counts) - Math.min(...counts), part).toBeLessThanOrEqual(3);
      expect(Math.min(...counts), part).toBeGreaterThan(0);
    }
    expect(heldOutTriples(world, 45, 7)).toEqual(triples);
    expect(heldOutTriples(world, 45, 8)).not.toEqual(triples);
  });
});
