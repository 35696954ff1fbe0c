import { describe, expect, it } from 'vitest';
import {
  allCaptionText,
  captionOf,
  captionsOf,
  captionWords,
  chineseWords,
  plainCaption,
} from '../../src/data/captions.ts';
import { randomStream } from '../../src/data/random.ts';
import type { Scene } from '../../src/data/scene.ts';
import { SUBJECTS } from '../../src/data/subjects.ts';
import { createWorld, type World } from '../../src/data/world.ts';
import { centredScene } from './drawn-world.ts';

/** The real subjects' names without their pixels: captions need no more. */
function namesOnly(): World {
  const subjects = SUBJECTS.map(({ id, codepoint, role, english, chinese, measure }) => ({
    ...{ id, codepoint, role, measure, english: [...english], chinese: [...chinese] },
    ...{ labels: { en: id, zh: id }, frames: 1, size: 1, source: '', sha256: '' },
  }));
  return createWorld(subjects, new Map());
}

const world = namesOnly();
const scene = (part: Partial<Scene>): Scene =>
  centredScene({ subject: 'apple', motion: 'bounce', size: 'medium', ...part });
const many = (of: Scene) => new Set(captionsOf(world, of, randomStream(5), 4000));

/** Cuts a caption into words of the vocabulary, taking the longest Chinese word that fits; other pieces stay as they are. */
function wordsOf(caption: string, chinese: readonly string[]): string[] {
  const longestFirst = [...chinese].sort((a, b) => b.length - a.length);
  return caption.match(new RegExp(`${longestFirst.join('|')}|[a-z]+|\\S`, 'g')) ?? [];
}

describe('captions', () => {
  it('can be exactly the sentences a newcomer is told to type', () => {
    const captions = many(scene({}));
    expect(captions).toContain('a red apple bounces on a blue background');
    expect(captions).toContain('一个红苹果在蓝色背景上弹跳');
  });

  it('cover natural variants', () => {
    expect(many(scene({ subject: 'panda', background: 'yellow', motion: 'left' }))).toContain(
      'a panda moves left on a yellow background',
    );
    expect(many(scene({ subject: 'panda', background: 'green', motion: 'spin' }))).toContain(
      'panda, green background, spinning',
    );
    expect(many(scene({ subject: 'panda', background: 'green', motion: 'left' }))).toContain(
      '一只熊猫在绿色背景上向左移动',
    );
    expect(many(scene({ size: 'large', background: 'red', motion: 'grow' }))).toContain(
      'a big red apple grows on a red background',
    );
  });

  it('use "an" before vowels, and name both colours of a gradient', () => {
    for (const caption of many(scene({ subject: 'cat', background: 'orange>blue' }))) {
      expect(caption).not.toMatch(/\ba [aeiou]/);
      expect(caption).toMatch(/orange.*blue|橙色.*蓝色/);
    }
  });

  it('are 70 % English', () => {
    const captions = captionsOf(world, scene({}), randomStream(1), 2000);
    const english = captions.filter((caption) => /^[\x20-\x7e]+$/.test(caption)).length;
    expect(english / captions.length).toBeGreaterThan(0.66);
    expect(english / captions.length).toBeLessThan(0.74);
  });

  it('are plain when a score is taken', () => {
    expect(plainCaption(world, scene({}), 'en')).toBe('a red apple bounces on a blue background');
    expect(plainCaption(world, scene({ subject: 'panda', background: 'green', motion: 'left' }), 'zh')).toBe(
      '一只熊猫在绿色背景上向左移动',
    );
  });

  it('stay inside a vocabulary of 300 to 450 words and characters, all of which the corpus holds', () => {
    const vocabulary = captionWords(world);
    expect(vocabulary.length).toBeGreaterThan(300);
    expect(vocabulary.length).toBeLessThan(450);
    expect(vocabulary).toContain('red');
    expect(vocabulary).toContain('红苹果');
    const inCorpus = new Set(allCaptionText(world).flatMap((caption) => wordsOf(caption, chineseWords(world))));
    expect([...inCorpus].filter((word) => !vocabulary.includes(word))).toEqual([]);
    expect(vocabulary.filter((word) => !inCorpus.has(word))).toEqual([]);
  });

  it('keep to the asked language and depend on the random stream alone', () => {
    expect(captionOf(world, scene({}), randomStream(2), 'zh')).toMatch(/[\u4e00-\u9fff]/);
    expect(captionOf(world, scene({}), randomStream(2))).toBe(captionOf(world, scene({}), randomStream(2)));
  });
});
