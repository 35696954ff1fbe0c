import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { captionsOf, paraphrase } from '../../src/data/captions.ts';
import { chineseGrammar } from '../../src/data/captions-chinese.ts';
import { englishGrammar } from '../../src/data/captions-english.ts';
import { factsOf, type Kind } from '../../src/data/captions-facts.ts';
import { fragmentsOf, type Grammar, patternOf, wordsAndMarks } from '../../src/data/captions-grammar.ts';
import { randomStream } from '../../src/data/random.ts';
import { centredScene } from './drawn-world.ts';
import { namesOnly, scenes } from './names-only.ts';

const world = namesOnly();
const LANGUAGES = [
  ['en', englishGrammar],
  ['zh', chineseGrammar],
] as const;

const apple = centredScene({ subject: 'apple', motion: 'bounce' });
const pair = { ...apple, second: { subject: 'cat', place: 'above' } } as const;

/** Tells whether a training caption may read like a text, full stop aside; spaces and "an" for "a" do not count. */
function trainingReader(grammars: readonly Grammar[], kind: 'short' | 'dense'): (text: string) => boolean {
  const patterns = grammars.map((grammar) => patternOf(grammar, kind).source.replaceAll(' ', '').slice(1, -1));
  const all = new RegExp(`^(?:${patterns.join('|')})$`);
  return (text) => {
    const bare = text
      .replace(/\ban\b/g, 'a')
      .replaceAll(' ', '')
      .replace(/[.。]$/, '');
    return ['', '.', '。'].some((stop) => all.test(bare + stop));
  };
}

describe('paraphrases', () => {
  it.each(LANGUAGES)('%s: come from at least eight templates, for one subject and for two', (_, grammarOf) => {
    for (const scene of [apple, pair]) {
      const grammar = grammarOf(factsOf(world, scene)[0], 'paraphrase');
      const templates = grammar.map((rules) => rules['paraphrase']).find((rule) => rule !== undefined);
      expect(new Set(templates as readonly string[]).size).toBeGreaterThanOrEqual(8);
    }
  });

  it.each(LANGUAGES)('%s: no training caption of the same scene can be equal to one', (language, grammarOf) => {
    fc.assert(
      fc.property(scenes, fc.nat(), (told, seed) => {
        const random = randomStream(seed);
        const texts = Array.from({ length: 12 }, () => paraphrase(world, told, language, random));
        for (const kind of ['short', 'dense'] as const) {
          const isTrained = trainingReader(
            factsOf(world, told).map((facts) => grammarOf(facts, kind)),
            kind,
          );
          for (const text of texts) expect(isTrained(text), text).toBe(false);
        }
      }),
      { numRuns: 25 },
    );
  });

  it('would be caught if they were training captions', () => {
    const [facts] = factsOf(world, apple);
    const readers = LANGUAGES.flatMap(([, grammarOf]) =>
      (['short', 'dense'] as const).map((kind) => trainingReader([grammarOf(facts, kind)], kind)),
    );
    expect(readers[0]!('an apple jumps on a blue background')).toBe(true);
    for (const text of captionsOf(world, apple, randomStream(3), 60))
      expect(
        readers.some((isTrained) => isTrained(text)),
        text,
      ).toBe(true);
  });

  it.each(LANGUAGES)('%s: are made of words that training captions have', (_, grammarOf) => {
    const words = (kind: Kind) => {
      const found = new Set<string>();
      for (const told of fc.sample(scenes, { numRuns: 300, seed: 1 })) {
        for (const facts of factsOf(world, told))
          for (const text of fragmentsOf(grammarOf(facts, kind), kind))
            wordsAndMarks(text).map((word) => found.add(word));
      }
      return found;
    };
    const trained = new Set([...words('short'), ...words('dense')]);
    expect([...words('paraphrase')].filter((word) => !trained.has(word))).toEqual([]);
  });

  it('always name speed and camera move', () => {
    const told = { ...apple, background: 'sea', speed: 'slow', camera: 'zoom-in' } as const;
    const random = randomStream(8);
    for (let i = 0; i < 60; i++) {
      expect(paraphrase(world, told, 'en', random)).toMatch(/^(?=.*slow)(?=.*(camera|zooming))/);
      expect(paraphrase(world, told, 'zh', random)).toMatch(/慢.*镜头/);
    }
  });

  it('are read the same for the same random stream, in the asked language', () => {
    expect(paraphrase(world, pair, 'zh', randomStream(4))).toBe(paraphrase(world, pair, 'zh', randomStream(4)));
    expect(paraphrase(world, pair, 'zh', randomStream(4))).toMatch(/^[\u4e00-\u9fff，。]+$/);
    expect(paraphrase(world, pair, 'en', randomStream(4))).toMatch(/^[a-z][a-z ,.-]*$/);
  });
});
