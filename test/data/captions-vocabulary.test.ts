import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allCaptionText, captionWords, chineseWords } from '../../src/data/captions.ts';
import { chineseGrammar, chineseWordsOfCaption } from '../../src/data/captions-chinese.ts';
import { englishCaption } from '../../src/data/captions-english.ts';
import { factsOf, KINDS, type Kind } from '../../src/data/captions-facts.ts';
import { drawText, wordsAndMarks } from '../../src/data/captions-grammar.ts';
import { randomStream } from '../../src/data/random.ts';
import { createWorld } from '../../src/data/world.ts';
import { buildVocabularies } from '../../src/prompt/build-vocabulary.ts';
import { loadTokenizers, type Tokenizers } from '../../src/prompt/tokenize.ts';
import { drawnWorld } from './drawn-world.ts';
import { namesOnly, scenes } from './names-only.ts';

const world = namesOnly();
let corpus: string[];
let directory: string;
let tokenizers: Tokenizers;

// As a model's folder is made.
beforeAll(async () => {
  corpus = allCaptionText(world);
  directory = await mkdtemp(path.join(tmpdir(), 'captions-'));
  await buildVocabularies(corpus, directory, { cjkWords: chineseWords(world), maxLength: 77 });
  tokenizers = await loadTokenizers(directory);
});
afterAll(() => rm(directory, { recursive: true }));

const LONGEST: Readonly<Record<Kind, number>> = { short: 31, dense: 63, paraphrase: 63, plain: 63 };

describe('the vocabulary of captions', () => {
  it('is of 400 to 600 words and characters', () => {
    const words = captionWords(world);
    expect(new Set(words).size).toBe(words.length);
    expect(words.length).toBeGreaterThan(400);
    expect(words.length).toBeLessThan(600);
    for (const word of ['red', 'camera', '红苹果', '镜头', '在', '，', '.']) expect(words).toContain(word);
    expect(words).not.toContain('robot');
  });

  it('is that of the corpus, of which it holds every word', () => {
    const words = captionWords(world);
    const text = corpus.join(' ');
    const english = new Set(text.match(/[a-z]+/g));
    expect(words.filter((word) => (/[a-z]/.test(word) ? !english.has(word) : !text.includes(word)))).toEqual([]);
    expect([...english].filter((word) => !words.includes(word))).toEqual([]);
    const characters = new Set(words.join(''));
    expect([...new Set(text)].filter((character) => character !== ' ' && !characters.has(character))).toEqual([]);
  });

  it('makes the corpus again, and one for a world of few subjects', () => {
    expect(allCaptionText(drawnWorld())).toEqual(allCaptionText(drawnWorld()));
    const one = createWorld(world.subjects.slice(0, 1), new Map());
    expect(allCaptionText(one).length).toBeGreaterThan(200);
    expect(captionWords(one)).toContain('airplane');
  });
});

describe('tokens of captions', () => {
  it('are known to both tokenizers and below 32 in short captions, 64 in the others', () => {
    fc.assert(
      fc.property(scenes, fc.nat(), (told, seed) => {
        for (const facts of factsOf(world, told)) {
          for (const kind of KINDS.filter((each) => each !== 'plain')) {
            const english = englishCaption(facts, kind, randomStream(seed));
            const chinese = chineseWordsOfCaption(facts, kind, randomStream(seed)).replaceAll(' ', '');
            for (const text of [english, chinese]) {
              expect(tokenizers.unknownWords(text), text).toEqual([]);
              expect(tokenizers.llm.encode(text).length, text).toBeLessThanOrEqual(LONGEST[kind]);
              expect(tokenizers.clip.tokenIds(text).length + 2, text).toBeLessThan(77);
            }
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it('are Chinese words as the templates have them: none is cut in another way', () => {
    const { model } = tokenizers.llm;
    fc.assert(
      fc.property(scenes, fc.nat(), (told, seed) => {
        for (const facts of factsOf(world, told)) {
          for (const kind of KINDS) {
            const words = drawText(chineseGrammar(facts, kind), kind, randomStream(seed));
            const pieces = model.encode(words.replaceAll(' ', '')).map((id) => model.pieceOf(id));
            expect(pieces.filter((piece) => piece !== '\u2581')).toEqual(wordsAndMarks(words));
          }
        }
      }),
      { numRuns: 400 },
    );
  });
});
