/** Tokenizer files that are missing, empty, cut short or not what they claim: an error that names the file. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SentencePieceModel } from '../../src/prompt/sentencepiece.ts';
import { decodeModel, encodeModel, type ModelProto, pieceType } from '../../src/prompt/sentencepiece-proto.ts';
import { loadStepTokenizer } from '../../src/prompt/step-tokenizer.ts';
import { loadTokenizers } from '../../src/prompt/tokenize.ts';

const golden = new URL('../golden/', import.meta.url).pathname;
const modelFile = 'step_llm/step1_chat_tokenizer.model';
const vocabFile = 'hunyuan_clip/tokenizer/vocab.txt';
const configFile = 'hunyuan_clip/tokenizer/tokenizer_config.json';
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tokenizers-'));
});
afterAll(() => rm(directory, { recursive: true }));

/** Loads a copy of the recorded tokenizers with one file replaced (undefined: removed). */
async function loadWith(file: string, content: Uint8Array | string | undefined): Promise<unknown> {
  const copy = await mkdtemp(join(directory, 'copy-'));
  for (const path of [
    'hunyuan_clip/tokenizer',
    'hunyuan_clip/clip_text_encoder/config.json',
    'step_llm/config.json',
    modelFile,
  ]) {
    await cp(`${golden}parity/checkpoint/${path}`, join(copy, path), { recursive: true });
  }
  if (content === undefined) await rm(join(copy, file));
  else await writeFile(join(copy, file), content);
  return loadTokenizers(copy);
}

const refused = (file: string, rule: RegExp): object =>
  expect.objectContaining({
    kind: 'checkpoint',
    op: expect.stringContaining(file),
    message: expect.stringMatching(rule),
  });
const read = (file: string): Promise<Buffer> => readFile(`${golden}parity/checkpoint/${file}`);

describe('a tokenizer file', () => {
  it.each([modelFile, vocabFile, configFile])('%s that is empty is refused', async (file) => {
    await expect(loadWith(file, '')).rejects.toEqual(refused(file, /empty/));
  });

  it.each([modelFile, vocabFile, configFile])('%s cut in half is refused', async (file) => {
    const bytes = await read(file);
    await expect(loadWith(file, bytes.subarray(0, bytes.length >> 1))).rejects.toEqual(
      refused(file, /complete|lines|UTF-8/),
    );
  });

  it.each([modelFile, vocabFile])('%s that is missing is refused', async (file) => {
    await expect(loadWith(file, undefined)).rejects.toEqual(refused(file, /readable, got ENOENT/));
  });

  it('is refused where it is another kind of file', async () => {
    const random = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7919 + (i >> 3) * 31) & 255);
    await expect(loadWith(modelFile, random)).rejects.toEqual(refused(modelFile, /sentencepiece model/));
    await expect(loadWith(modelFile, '<html>not found</html>')).rejects.toEqual(
      refused(modelFile, /sentencepiece model/),
    );
    await expect(loadWith(vocabFile, random)).rejects.toEqual(refused(vocabFile, /UTF-8/));
    await expect(loadWith(configFile, '{"do_lower_case": "yes"}')).rejects.toEqual(
      refused(configFile, /do_lower_case/),
    );
    await expect(loadWith(configFile, '[1, 2]')).rejects.toEqual(refused(configFile, /valid/));
  });

  it('is refused where it belongs to another checkpoint', async () => {
    const lines = (await read(vocabFile)).toString();
    await expect(loadWith(vocabFile, `${lines}extra\n`)).rejects.toEqual(refused(vocabFile, /394 lines.*got 395/));
    await expect(loadWith(vocabFile, lines.replace('[SEP]', 'sep'))).rejects.toEqual(
      refused(vocabFile, /must hold \[SEP\]/),
    );
    await expect(loadWith('step_llm/config.json', '{"padded_vocab_size": 700}')).rejects.toEqual(
      refused(modelFile, /700 pieces.*got 760/),
    );
    await expect(loadStepTokenizer(`${golden}prompt/word.model`)).rejects.toEqual(refused('word.model', /<\|BOT\|>/));
  });

  it('may lack its two JSON files', async () => {
    await expect(loadWith(configFile, undefined)).resolves.toBeDefined();
  });
});

describe('a sentencepiece model', () => {
  it.each(['parity/checkpoint/step_llm/step1_chat_tokenizer.model', 'parity/tokenizers/spm_unigram.model'])(
    '%s cut anywhere is refused',
    async (path) => {
      const bytes = await readFile(golden + path);
      const stride = Math.ceil(bytes.length / 250);
      const ends = [
        ...Array.from({ length: 250 }, (_, i) => i * stride),
        ...Array.from({ length: 150 }, (_, i) => bytes.length - 1 - i),
      ];
      for (const end of ends.filter((value) => value < bytes.length)) {
        expect(() => new SentencePieceModel(bytes.subarray(0, end), 'cut.model'), `cut at ${end}`).toThrow(
          /^tokenizer cut\.model: /,
        );
      }
    },
  );

  const changed = async (change: (model: ModelProto) => void): Promise<() => SentencePieceModel> => {
    const model = decodeModel(await read(modelFile), 'x');
    change(model);
    return () => new SentencePieceModel(encodeModel(model), 'x');
  };

  it('written again loads as it was', async () => {
    const same = (await changed(() => {}))();
    expect(same.encode('A small 猫 😀')).toEqual(
      new SentencePieceModel(await read(modelFile), 'x').encode('A small 猫 😀'),
    );
  });

  it('that breaks its own rules is refused', async () => {
    const cases: [RegExp, (model: ModelProto) => void][] = [
      [
        /unknown piece, got none/,
        (m) => {
          m.pieces[0]!.type = pieceType.control;
        },
      ],
      [
        /one unknown piece/,
        (m) => {
          m.pieces[1]!.type = pieceType.unknown;
        },
      ],
      [
        /256 byte pieces, got 255/,
        (m) => {
          m.pieces[11]!.type = pieceType.control;
        },
      ],
      [
        /byte pieces must be/,
        (m) => {
          m.trainerSpec.byteFallback = false;
        },
      ],
      [
        /defined twice/,
        (m) => {
          m.pieces[700]!.piece = m.pieces[600]!.piece;
        },
      ],
      [
        /may be empty/,
        (m) => {
          m.pieces[700]!.piece = new Uint8Array();
        },
      ],
      [
        /finite/,
        (m) => {
          m.pieces[700]!.score = Number.NaN;
        },
      ],
      [
        /model type/,
        (m) => {
          m.trainerSpec.modelType = 9;
        },
      ],
      [
        /character map/,
        (m) => {
          m.normalizerSpec.precompiledCharsmap = new Uint8Array(4000).fill(1);
        },
      ],
      [
        /points outside/,
        (m) => {
          const blob = new Uint8Array(2000);
          new DataView(blob.buffer).setUint32(0, 1024, true);
          m.normalizerSpec.precompiledCharsmap = blob.fill(0x7f, 4, 1028);
        },
      ],
    ];
    for (const [rule, change] of cases) expect(await changed(change)).toThrow(rule);
  });
});
