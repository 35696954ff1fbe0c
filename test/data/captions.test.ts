import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  captionOf,
  captionsOf,
  denseCaption,
  type Language,
  plainCaption,
  shortCaption,
} from '../../src/data/captions.ts';
import { chineseGrammar } from '../../src/data/captions-chinese.ts';
import { englishGrammar } from '../../src/data/captions-english.ts';
import { factsOf, SPEEDS, type Told } from '../../src/data/captions-facts.ts';
import { patternOf } from '../../src/data/captions-grammar.ts';
import { MOTIONS } from '../../src/data/motion.ts';
import { randomStream } from '../../src/data/random.ts';
import type { Scene } from '../../src/data/scene.ts';
import { centredScene } from './drawn-world.ts';
import { namesOnly, scenes } from './names-only.ts';

const world = namesOnly();
const scene = (part: Partial<Scene>): Scene =>
  centredScene({ subject: 'apple', motion: 'bounce', size: 'large', ...part });

/** Many captions of one scene by `write`, in one language. */
function many(of: Told, write: typeof shortCaption, language: Language, count = 400): string[] {
  const random = randomStream(5);
  return Array.from({ length: count }, () => write(world, of, language, random));
}
const shorts = (part: Partial<Told>, language: Language = 'en', count?: number) =>
  new Set(many({ ...scene({}), ...part }, shortCaption, language, count));
const share = (texts: readonly string[], pattern: RegExp) =>
  texts.filter((text) => pattern.test(text)).length / texts.length;

const overDesert = { background: 'desert', camera: 'pan-left', subject: 'car', motion: 'right' } as const;
const besideDog = { subject: 'dog', second: { subject: 'cat', place: 'left' } } as const;

/** Whether training may have the caption for the scene. */
function canBe(text: string, part: Partial<Told>): boolean {
  const grammars = factsOf(world, { ...scene({}), ...part }).map((facts) =>
    /[a-z]/.test(text) ? englishGrammar(facts, 'short') : chineseGrammar(facts, 'short'),
  );
  // Chinese grammars have spaces between words.
  const pattern = (source: string) => (/[a-z]/.test(text) ? source : source.replaceAll(' ', ''));
  return grammars.some((grammar) => new RegExp(pattern(patternOf(grammar, 'short').source)).test(text));
}

describe('short captions', () => {
  it('are at times exactly the sentences a newcomer is told to type', () => {
    expect(shorts({}, 'en', 800)).toContain('a red apple bounces on a blue background');
    expect(shorts({}, 'zh', 800)).toContain('一个红苹果在蓝色背景上弹跳');
  });

  it('can be natural sentences and what people type plainly, and nothing else', () => {
    const panda = { subject: 'panda', background: 'green', motion: 'spin' } as const;
    for (const typed of ['panda, green background, spinning', 'a spinning panda', 'panda spinning'])
      expect(canBe(typed, panda), typed).toBe(true);
    expect(canBe('panda, green background, jumping', panda)).toBe(false);
    const atNight = { subject: 'panda', background: 'night', motion: 'spin', speed: 'slow' } as const;
    expect(canBe('a panda is slowly spinning in front of a night sky', atNight)).toBe(true);
    const beside = { ...besideDog, background: 'meadow' } as const;
    expect(canBe('a cat to the left of a dog, both jumping on grass', beside)).toBe(true);
    expect(canBe('a dog to the left of a cat, both jumping on grass', beside)).toBe(false);
    expect(canBe('一只猫在一只狗的左边，都在草地上跳跃', beside)).toBe(true);
    expect(canBe('一只猫在一只狗的右边，都在草地上跳跃', beside)).toBe(false);
    expect(canBe('the camera pans left over a desert while a car drives right', overDesert)).toBe(true);
    expect(canBe('the camera pans right over a desert while a car drives right', overDesert)).toBe(false);
    expect(canBe('一辆汽车在沙漠里向右开，镜头向左平移', overDesert)).toBe(true);
  });

  it('leave the background out in a small share, and the motion where nothing moves', () => {
    for (const language of ['en', 'zh'] as const) {
      const bare = share(many(scene({}), shortCaption, language, 2000), /^(?!.*(background|背景)).*$/);
      expect(bare).toBeGreaterThan(0.05);
      expect(bare).toBeLessThan(0.11);
    }
    const still = many(scene({ motion: 'still' }), shortCaption, 'en');
    expect(share(still, /^(?!.*(still|move|moving)).*$/)).toBeGreaterThan(0.15);
    expect(share(many(scene({}), shortCaption, 'en'), /^(?!.*(bounc|jump|hop)).*$/)).toBe(0);
  });

  it('call a colour by several names', () => {
    const green = [...shorts({ background: 'lime' })].join();
    for (const name of ['lime', 'light green', 'lime green']) expect(green).toContain(`on a ${name} background`);
    expect([...shorts({ background: 'navy' }, 'zh')].join()).toMatch(/深蓝色.*藏青色|藏青色.*深蓝色/);
  });

  it('name both colours of a gradient, top first', () => {
    for (const text of shorts({ background: 'orange>blue' }))
      if (/background|gradient/.test(text)) expect(text).toMatch(/orange.*blue/);
    for (const text of shorts({ background: 'orange>blue' }, 'zh'))
      if (text.includes('背景')) expect(text).toMatch(/[橙橘]色.*蓝色/);
  });

  it('use "an" where a vowel sounds', () => {
    for (const subject of ['unicorn', 'ufo', 'umbrella', 'cat']) {
      for (const text of shorts({ subject, background: 'orange' }))
        expect(text).not.toMatch(/\ba (?!unicorn|ufo)[aeiou]|\ban (?![aeiou])|\ban (unicorn|ufo)/);
    }
  });

  it('name every size but the usual one, so that a sentence without a size means one', () => {
    const told = { en: { small: /small|little|tiny/, medium: /medium/ }, zh: { small: /小/, medium: /大小/ } };
    for (const language of ['en', 'zh'] as const)
      for (const size of ['small', 'medium'] as const)
        for (const write of [shortCaption, denseCaption])
          for (const text of many(scene({ size, subject: 'panda' }), write, language))
            expect(text).toMatch(told[language][size]);
    expect(share(many(scene({}), shortCaption, 'en'), /big|large/)).toBeLessThan(0.4);
  });

  it('keep a size apart from Chinese names that it would change', () => {
    const panda = [...shorts({ subject: 'panda', size: 'small' }, 'zh')].join();
    expect(panda).toContain('很小的熊猫');
    expect(panda).not.toContain('小熊猫');
    expect([...shorts({ subject: 'tree', size: 'large' }, 'zh')].join()).not.toMatch(/大大树|大树大/);
    expect([...shorts({ size: 'small' }, 'zh')].join()).toContain('一个小红苹果');
  });

  it('do not mention a normal speed, and mention others mostly', () => {
    const speed = /slow|fast|quick|rapid|慢|快/;
    for (const language of ['en', 'zh'] as const) {
      expect(share(many(scene({}), shortCaption, language), speed)).toBe(0);
      expect(share(many(scene({ speed: 'fast' }), shortCaption, language), speed)).toBeGreaterThan(0.7);
    }
  });
});

describe('"left" of a motion, of a place and of the camera', () => {
  const english = /(?:mov|slid|go|walk|driv|fl|swim)[a-z]* (?:to the )?left/;
  const writers = [shortCaption, denseCaption] as const;
  const each = (of: Partial<Told>, check: (text: string) => void, language: Language) => {
    for (const write of writers) many({ ...scene({}), ...of }, write, language, 150).forEach(check);
  };

  it('is the camera only behind "camera" or "panning"', () => {
    const pan = { background: 'sea', camera: 'pan-left', motion: 'bounce' } as const;
    each(pan, (text) => expect(text.replace(/(camera [a-z]+|panning) (to the )?left/, '')).not.toMatch(/left/), 'en');
    each(pan, (text) => expect(text.replace(/镜头(往左移动|向左移动|向左平移|左移)/, '')).not.toMatch(/左/), 'zh');
  });

  it('is a motion only behind a verb of the subject', () => {
    const goes = { background: 'sea', motion: 'left', speed: 'normal' } as const;
    each(goes, (text) => expect(text.replace(english, '')).not.toMatch(/left/), 'en');
    each(goes, (text) => expect(text).not.toMatch(/[左右][边侧]|镜头[向往]?[左右]/), 'zh');
  });

  it('is a place only before "of" or behind "on the"', () => {
    const beside = { ...besideDog, background: 'meadow', motion: 'bounce' } as const;
    const place = /((to|on) the )?(left|right) of|(is )?on the (left|right)/g;
    each(beside, (text) => expect(text.replace(place, '')).not.toMatch(/\b(left|right)\b/), 'en');
    each(beside, (text) => expect(text.replace(/[左右][边侧]/g, '')).not.toMatch(/[左右]/), 'zh');
    // The cat is at the left, whoever is named first.
    each(
      beside,
      (text) => expect(text).not.toMatch(/cat( is)? (to |on )?(the )?right|dog( is)? (to |on )?(the )?left/),
      'en',
    );
    each(beside, (text) => expect(text).not.toMatch(/猫在右|狗在左|猫在(一只)?小?狗的?右|狗在(一只)?小?猫的?左/), 'zh');
  });

  it('never runs together: nothing moves "to the left of" anything', () => {
    const all = { ...besideDog, background: 'meadow', motion: 'left', camera: 'pan-left' } as const;
    each(all, (text) => expect(text).not.toMatch(new RegExp(`${english.source} of`)), 'en');
  });
});

describe('dense captions', () => {
  it('name subject, motion, speed, background and camera in sentences, whatever the scene', () => {
    fc.assert(
      fc.property(scenes, fc.nat(), (told, seed) => {
        const english = denseCaption(world, told, 'en', randomStream(seed));
        const chinese = denseCaption(world, told, 'zh', randomStream(seed));
        expect(english).toMatch(/^[a-z][a-z ,.-]*\.$/);
        expect(chinese).toMatch(/。$/);
        const { english: names, chinese: namesInChinese } = world.subject(told.second?.subject ?? told.subject);
        expect(names.some((name) => english.includes(name))).toBe(true);
        expect(namesInChinese.some((name) => chinese.includes(name))).toBe(true);
        if (told.speed !== 'normal') {
          expect(english).toMatch(told.speed === 'slow' ? /slow/ : /quick|fast|rapid|high speed/);
          expect(chinese).toMatch(told.speed === 'slow' ? /慢/ : /快/);
        }
        if (told.camera !== 'static') {
          expect(english).toMatch(/the camera (pans|moves|zooms|pushes|pulls)/);
          expect(chinese).toMatch(/镜头[^静固保]/);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('are longer than short ones', () => {
    const mean = (texts: readonly string[]) => texts.join('').length / texts.length;
    for (const language of ['en', 'zh'] as const) {
      const of = scene({ background: 'night', size: 'small' });
      expect(mean(many(of, denseCaption, language))).toBeGreaterThan(1.3 * mean(many(of, shortCaption, language)));
    }
  });
});

describe('captions', () => {
  it('are 70 % English, and both short and dense', () => {
    const captions = captionsOf(world, scene({}), randomStream(1), 2000);
    const english = share(captions, /^[\x20-\x7e]+$/);
    expect(english).toBeGreaterThan(0.66);
    expect(english).toBeLessThan(0.74);
    const dense = share(captions, /plain|solid|video|纯|视频|画面/);
    expect(dense).toBeGreaterThan(0.2);
    expect(dense).toBeLessThan(0.45);
  });

  it('are plain when a score is taken', () => {
    expect(plainCaption(world, scene({}), 'en')).toBe('a red apple bounces on a blue background');
    const panda = { subject: 'panda', background: 'green', motion: 'left' } as const;
    expect(plainCaption(world, panda, 'zh')).toBe('一只熊猫在绿色背景上向左移动');
    expect(plainCaption(world, { ...panda, background: 'night' }, 'en')).toBe(
      'a panda moves left in front of a night sky',
    );
    expect(plainCaption(world, { ...panda, background: 'meadow' }, 'zh')).toBe('一只熊猫在草地上向左移动');
    expect(plainCaption(world, { ...overDesert, ...besideDog, speed: 'slow' }, 'en')).toBe(
      'a dog to the right of a cat, both moving right slowly in a desert, the camera pans left',
    );
  });

  it('are plain in another way for each motion and each speed', () => {
    const texts = MOTIONS.flatMap((motion) =>
      SPEEDS.map((speed) => plainCaption(world, { ...scene({ motion }), speed }, 'en')),
    );
    expect(new Set(texts).size).toBe(MOTIONS.length * SPEEDS.length);
  });

  it('keep to the asked language and depend on the random stream alone', () => {
    fc.assert(
      fc.property(scenes, fc.nat(), (told, seed) => {
        expect(captionOf(world, told, randomStream(seed), 'zh')).toMatch(/^[\u4e00-\u9fff，。]+$/);
        expect(captionOf(world, told, randomStream(seed), 'en')).toMatch(/^[a-z][a-z ,.-]*$/);
        expect(captionOf(world, told, randomStream(seed))).toBe(captionOf(world, told, randomStream(seed)));
      }),
      { numRuns: 200 },
    );
  });
});
