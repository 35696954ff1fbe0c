import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isHeldOut } from '../../src/data/split.ts';
import { knowledgeOf } from '../../src/eval/knowledge.ts';
import { SETS, testCases, unseenScenes } from '../../src/eval/test-set.ts';
import { readTrainingRecord, type TrainingRecord, writeTrainingRecord } from '../../src/training-record.ts';
import { drawnWorld } from '../data/drawn-world.ts';

const world = drawnWorld();
const record: TrainingRecord = {
  ...{ format: 1, subjects: ['box', 'hook', 'ring'], backgrounds: ['red', 'blue', 'lime', 'sea'] },
  ...{ motions: ['left', 'up', 'spin', 'grow', 'circle'], frames: [17], fps: 12 },
};
const options = { count: 2, seed: 4, frames: 17 };

const scratch = mkdtempSync(path.join(tmpdir(), 'record-'));
afterAll(() => rmSync(scratch, { recursive: true }));

describe('the training record', () => {
  it('comes back as it was written, and is absent where nobody wrote one', async () => {
    expect(readTrainingRecord(scratch)).toBeUndefined();
    await writeTrainingRecord(scratch, { ...record, pairs: true });
    expect(readTrainingRecord(scratch)).toEqual({ ...record, pairs: true });
  });

  it.each([
    ['{', /must be JSON/],
    ['{"format": 2}', /training\.json must be valid, got format/],
    [JSON.stringify({ ...record, colors: [] }), /colors/],
    [JSON.stringify({ ...record, motions: [] }), /got motions/],
  ])('is refused as %j', (text, message) => {
    writeFileSync(path.join(scratch, 'training.json'), text);
    expect(() => readTrainingRecord(scratch)).toThrow(message);
  });

  it('of the shipped model lists what the data has', () => {
    const shipped = readTrainingRecord(path.join(import.meta.dirname, '../../models/mini'))!;
    expect(shipped.frames.length).toBeGreaterThan(0);
    expect(() => knowledgeOf(world, { ...shipped, subjects: ['box'] })).not.toThrow();
  });
});

describe('what a model knows', () => {
  it('is everything without a record', () => {
    const all = knowledgeOf(world, undefined);
    expect(all.world).toBe(world);
    expect(all.pairs).toBe(true);
    for (const set of SETS) expect(testCases(all, set, options)).toHaveLength(2);
  });

  it('narrows what is asked, and what the scorer chooses from', () => {
    const known = knowledgeOf(world, record);
    expect(known.world.subjects.map(({ id }) => id)).toEqual(['box', 'ring', 'hook', 'wheel']);
    const cases = testCases(known, 'main', options);
    for (const { scene, prompts } of cases) {
      expect(record.subjects).toContain(scene.subject);
      expect(['red', 'blue', 'lime']).toContain(scene.background);
      expect(record.motions).toContain(scene.motion);
      expect(isHeldOut(scene)).toBe(true);
      expect(scene).toMatchObject({ camera: 'static', speed: 'normal' });
      expect(scene.second).toBeUndefined();
      expect(prompts.en).toContain(scene.subject);
    }
    for (const scene of unseenScenes(known, { ...options, count: 5 })) {
      expect(scene.subject).toBe('wheel');
      expect(record.motions).toContain(scene.motion);
    }
    const sceneries = testCases(known, 'sceneries', options);
    expect(sceneries.map(({ scene }) => [scene.background, scene.camera])).toEqual(
      sceneries.map(() => ['sea', 'static']),
    );
    expect(testCases(known, 'pairs', options)).toEqual([]);
    const pairs = testCases(knowledgeOf(world, { ...record, pairs: true }), 'pairs', options);
    expect(pairs.every(({ scene }) => scene.second !== undefined)).toBe(true);
  });

  it.each([
    [{ subjects: ['box', 'yeti'] }, /subjects of the data: .* got yeti/],
    [{ subjects: ['wheel'] }, /subjects of the data/],
    [{ backgrounds: ['mauve'] }, /backgrounds of the data: .* got mauve/],
    [{ cameras: ['crane'] }, /cameras of the data/],
  ])('cannot be %j', (part, message) => {
    expect(() => knowledgeOf(world, { ...record, ...part })).toThrow(message);
  });
});

describe('the test set', () => {
  const all = knowledgeOf(world, undefined);
  const cases = testCases(all, 'main', { count: 8, seed: 5, frames: 17 });

  it('is held out, distinct, and a smaller one begins a larger one', () => {
    expect(new Set(cases.map(({ scene: s }) => `${s.subject} ${s.background} ${s.motion}`)).size).toBe(8);
    expect(testCases(all, 'main', { count: 3, seed: 5, frames: 17 })).toEqual(cases.slice(0, 3));
    expect(testCases(all, 'main', { count: 8, seed: 6, frames: 17 })).not.toEqual(cases);
  });

  it('is said in other words, the same each time', () => {
    const options = { count: 5, seed: 2, frames: 17 };
    const others = testCases(all, 'paraphrased', options);
    const plain = testCases(all, 'main', options);
    expect(others.map(({ scene, seed }) => [scene, seed])).toEqual(plain.map(({ scene, seed }) => [scene, seed]));
    others.forEach(({ scene, prompts }, i) => {
      expect(prompts.en).toContain(scene.subject);
      expect(prompts.en).not.toBe(plain[i]!.prompts.en);
      expect(prompts.zh).not.toBe(plain[i]!.prompts.zh);
    });
    expect(testCases(all, 'paraphrased', options)).toEqual(others);
    expect(testCases(knowledgeOf(world, record), 'paraphrased', options)).toEqual([]);
  });

  it.each([0, 1, 2.5, Number.NaN, 1e6])('refuses %s cases', (count) => {
    expect(() => testCases(all, 'main', { count, seed: 0, frames: 17 })).toThrow(
      /triples must be a whole number from 2 to \d+/,
    );
  });
});
