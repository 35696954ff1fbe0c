/** Someone's own clips: pairing with captions, what is refused and how it is named, resampling, cache, splits, windows. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { World } from '../../src/cli/command.ts';
import { run } from '../../src/cli/run.ts';
import { checkClips } from '../../src/data/check-clips.ts';
import { clipCache } from '../../src/data/clip-cache.ts';
import { clipFacts, coverSize, framesAt, smallFrames } from '../../src/data/clip-file.ts';
import { scanClipFolder } from '../../src/data/clip-folder.ts';
import type { ClipPixels } from '../../src/data/clip-source.ts';
import { folderSource, heldOutNames } from '../../src/data/folder-source.ts';
import { writeGreys, writeHollowPng, writeOwnClips, writePng } from './own-clips.ts';

const root = mkdtempSync(path.join(tmpdir(), 'own-clips-'));
const at = (...parts: string[]): string => path.join(root, ...parts);
afterAll(() => rmSync(root, { recursive: true }));
beforeAll(() => writeOwnClips(at('clips')));

const decode = { fps: 12, seconds: 60, cache: at('cache'), gigabytes: 1 };
const square = { width: 128, height: 128 };
const fresh = (name: string): string => {
  mkdirSync(at(name), { recursive: true });
  return at(name);
};

describe('captions', () => {
  it('are lines of UTF-8 beside a clip, whatever ends the lines; everything else is named', async () => {
    const folder = fresh('captions');
    const texts: Record<string, string | Buffer> = {
      plain: 'a fox\n\n  一只狐狸  \r\nthe last',
      marked: '\ufeffa marked fox',
      latin: Buffer.from('a caf\xe9', 'latin1'),
      wide: Buffer.from('a fox', 'utf16le'),
      blank: ' \n\n',
      huge: 'x'.repeat(70_000),
    };
    for (const [name, text] of Object.entries(texts)) {
      writeFileSync(path.join(folder, `${name}.txt`), text);
      writeFileSync(path.join(folder, `${name}.MP4`), '');
    }
    for (const name of ['none.mov', 'lonely.txt', '.hidden.mp4', 'notes.md'])
      writeFileSync(path.join(folder, name), 'text');
    const { files, orphans } = await scanClipFolder(folder);
    expect(orphans).toEqual(['lonely.txt']);
    const found = files.map(({ name, captions, captionProblem }) => [name, captionProblem ?? captions]);
    expect(Object.fromEntries(found)).toEqual({
      'plain.MP4': ['a fox', '一只狐狸', 'the last'],
      'marked.MP4': ['a marked fox'],
      'latin.MP4': 'latin.txt must be UTF-8 text',
      'wide.MP4': 'wide.txt must be UTF-8 text',
      'blank.MP4': 'blank.txt must not be empty',
      'huge.MP4': 'huge.txt must have at most 65536 bytes, got 70000',
      'none.mov': 'there is no caption file none.txt beside it',
    });
  });

  it('of a folder of numbered frames lie beside the folder', async () => {
    const { files } = await scanClipFolder(at('clips'));
    expect(files.map(({ name }) => name)).toEqual([
      'eight.png',
      'four.webp',
      'more/five.mp4',
      'more/six',
      'one.mp4',
      'seven.mp4',
      'three.gif',
      'two.webm',
    ]);
    expect(files.find(({ name }) => name === 'more/six')?.captions).toEqual(['numbered pictures of a square']);
  });
});

describe('a clip at another rate', () => {
  const levels = Array.from({ length: 12 }, (_, t) => 20 * t);
  const greys = async (fps: number, most = 100): Promise<number[]> => {
    const facts = await clipFacts(at('greys.webp'));
    const out: number[] = [];
    for await (const rgb of smallFrames(at('greys.webp'), facts, { fps, shape: { width: 16, height: 16 }, most }))
      out.push(Math.round(rgb[0]! / 20));
    expect(out.length).toBe(Math.min(most, framesAt(facts, fps)));
    return out;
  };

  it('has the frame of each moment, as many as its time holds', async () => {
    await writeGreys(at('greys.webp'), levels, 12, { width: 32, height: 32 });
    expect(await greys(12)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(await greys(6)).toEqual([1, 3, 5, 7, 9, 11]);
    expect(await greys(24, 5)).toEqual([0, 0, 1, 1, 2]);
    expect(await greys(8)).toEqual([0, 2, 3, 5, 6, 8, 9, 11]);
    expect(await greys(0.1)).toEqual([11]);
  });

  it('fills the shape, and keeps at most twice what it needs', () => {
    const side = fc.integer({ min: 1, max: 9000 });
    fc.assert(
      fc.property(side, side, fc.constantFrom(128, 96, 160), fc.constantFrom(128, 160, 96), (width, height, w, h) => {
        const cover = coverSize({ width, height }, { width: w, height: h });
        expect(cover.width).toBeGreaterThanOrEqual(w);
        expect(cover.height).toBeGreaterThanOrEqual(h);
        expect(cover.width === w || cover.height === h).toBe(true);
        expect(cover.width).toBeLessThanOrEqual(2 * w);
        expect(cover.height).toBeLessThanOrEqual(2 * h);
      }),
    );
  });
});

describe('bad files', () => {
  let folder: string;
  beforeAll(async () => {
    folder = fresh('bad');
    writeFileSync(path.join(folder, 'empty.mp4'), '');
    writeFileSync(path.join(folder, 'noise.webm'), Buffer.from('no video at all '.repeat(40)));
    writeFileSync(path.join(folder, 'cut.mp4'), readFileSync(at('clips', 'one.mp4')).subarray(0, 900));
    writeHollowPng(path.join(folder, 'bomb.png'), { width: 90_000, height: 90_000 });
    writeHollowPng(path.join(folder, 'large.png'), { width: 10_000, height: 10_000 });
    mkdirSync(path.join(folder, 'changing'));
    await writePng(path.join(folder, 'changing', 'frame-0000.png'), { width: 20, height: 20 }, [1, 2, 3]);
    await writePng(path.join(folder, 'changing', 'frame-0001.png'), { width: 24, height: 20 }, [1, 2, 3]);
    await writePng(path.join(folder, 'million.png'), { width: 1250, height: 800 }, [200, 100, 50]);
    await writePng(path.join(folder, 'clear.png'), { width: 31, height: 17 }, [200, 100, 50], 128);
  });

  it('are each named with the reason, and the others are used', async () => {
    const { clips, skipped } = await checkClips(folder, { fps: 12 });
    const reasons = Object.fromEntries(skipped.map(({ name, reason }) => [name, reason]));
    expect(Object.keys(reasons).sort()).toEqual([
      'bomb.png',
      'changing',
      'cut.mp4',
      'empty.mp4',
      'large.png',
      'noise.webm',
    ]);
    expect(reasons['bomb.png']).toMatch(/a frame must have at most \d+ pixels, got 90000x90000/);
    expect(reasons['large.png']).toMatch(/a frame must have at most 40000000 pixels, got 10000x10000/);
    expect(reasons['changing']).toMatch(/all frames must have one size, got 20x20, then 24x20 at frame 1/);
    for (const name of ['cut.mp4', 'empty.mp4', 'noise.webm'])
      expect(reasons[name]).toMatch(new RegExp(`the file must be a whole video or picture, got .*${name}`));
    expect(clips.map(({ name, width, height }) => [name, width, height])).toEqual([
      ['clear.png', 31, 17],
      ['million.png', 1250, 800],
    ]);
  });

  it('a half-transparent picture lies over black', async () => {
    const facts = await clipFacts(path.join(folder, 'clear.png'));
    const frames = smallFrames(path.join(folder, 'clear.png'), facts, { fps: 12, shape: square, most: 1 });
    for await (const rgb of frames) expect([...rgb.subarray(0, 3)]).toEqual([100, 50, 25]);
  });
});

describe('the cache', () => {
  it('decodes a file once, again where it changed or where the cache was damaged, and remembers what is wrong', async () => {
    const folder = fresh('once');
    cpSync(at('clips', 'four.webp'), path.join(folder, 'a.webp'));
    mkdirSync(path.join(folder, 'b'));
    await writePng(path.join(folder, 'b', 'frame-0000.png'), { width: 20, height: 20 }, [1, 2, 3]);
    await writePng(path.join(folder, 'b', 'frame-0001.png'), { width: 24, height: 20 }, [1, 2, 3]);
    const cache = at('once-cache');
    const load = async (settings = {}) => {
      const { files } = await scanClipFolder(folder);
      return clipCache({ ...decode, cache, ...settings }).decode(files, { shape: square });
    };
    const [first, problem] = await load();
    if (typeof first !== 'object') throw new Error('a.webp must decode');
    expect(problem).toMatch(/all frames must have one size/);
    expect(first).toMatchObject({ frames: 18, width: 128, height: 128, source: { width: 40, height: 40 } });
    const pixels = await first.read(3, 2);
    expect(pixels.length).toBe(2 * 128 * 128 * 3);

    // Neither is opened again: what lies there now would not decode.
    const stamp = new Date(1e9);
    utimesSync(path.join(folder, 'a.webp'), stamp, stamp);
    await load();
    const before = readdirSync(cache);
    writeFileSync(path.join(folder, 'a.webp'), Buffer.alloc(200_000).subarray(0, sizeOf(at('clips', 'four.webp'))));
    utimesSync(path.join(folder, 'a.webp'), stamp, stamp);
    const [again] = await load();
    expect((again as typeof first).sha256).toBe(first.sha256);
    expect(readdirSync(cache)).toEqual(before);

    cpSync(at('clips', 'four.webp'), path.join(folder, 'a.webp'));
    utimesSync(path.join(folder, 'a.webp'), stamp, stamp);
    for (const name of readdirSync(cache)) if (name.endsWith('.rgb')) writeFileSync(path.join(cache, name), 'short');
    const [whole] = await load();
    expect(await (whole as typeof first).read(3, 2)).toEqual(pixels);
    expect(await load({ seconds: 0.5 })).toMatchObject([{ frames: 6 }, {}]);
  });

  it('refuses clips that would not fit, and says where it cannot write', async () => {
    const { files } = await scanClipFolder(at('clips'));
    const small = clipCache({ ...decode, cache: at('small-cache'), gigabytes: 0.001 });
    await expect(small.decode(files, { shape: square })).rejects.toMatchObject({
      kind: 'input',
      message: expect.stringMatching(
        /decoded clips must fit into decode\.gigabytes, 0\.001, got 0\.00\d+ \(try a larger/,
      ),
    });
    expect(readdirSync(at('small-cache'))).toEqual([]);
    const cache = clipCache({ ...decode, cache: at('clips', 'one.txt', 'cache') });
    await expect(cache.decode(files, { shape: square })).rejects.toMatchObject({
      kind: 'environment',
      message: expect.stringMatching(/cache must be writable/),
    });
  });
});

/** Comparing these byte by byte is not for `toEqual`, which takes seconds. */
const bytes = ({ pixels }: ClipPixels): Buffer => Buffer.from(pixels.buffer, pixels.byteOffset, pixels.length);
const sizeOf = (file: string): number => statSync(file).size;

describe('splits', () => {
  it('hold out some, never all, and move nobody when others come', () => {
    const stems = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 2, maxLength: 60 });
    fc.assert(
      fc.property(stems, (names) => {
        const clips = names.map((stem, i) => ({ stem, frames: i % 3 === 0 ? 1 : 20 }));
        const held = heldOutNames(clips);
        expect(held.size).toBeGreaterThan(0);
        expect(held.size).toBeLessThan(names.length);
        expect(heldOutNames([...clips].reverse())).toEqual(held);
      }),
    );
    const many = Array.from({ length: 200 }, (_, i) => ({ stem: `clip ${i}`, frames: 20 }));
    const more = Array.from({ length: 400 }, (_, i) => ({ stem: `clip ${i}`, frames: 20 }));
    const [held, later] = [heldOutNames(many), heldOutNames(more)];
    expect(held.size).toBeGreaterThan(8);
    expect(held.size).toBeLessThan(40);
    expect(many.every(({ stem }) => held.has(stem) === later.has(stem))).toBe(true);
    expect(heldOutNames([{ stem: 'only', frames: 20 }]).size).toBe(0);
  });
});

describe('a source', () => {
  const open = (captions = true, folder = at('clips')) => folderSource(folder, { decode, captions });

  it('gives clip i of a seed, the same each time, training and held-out apart', async () => {
    const source = await open();
    const train = (await source.stream({ seed: 1, frames: 17, part: 'train' }))!;
    const held = (await source.stream({ seed: 1, frames: 17, part: 'validation' }))!;
    const clips = await Promise.all(Array.from({ length: 20 }, (_, i) => train.clip(i)));
    for (const { pixels, frames, width, height } of clips) {
      expect([frames, width, height]).toEqual([17, 128, 128]);
      expect(pixels.length).toBe(17 * 128 * 128 * 3);
    }
    const again = (await (await open()).stream({ seed: 1, frames: 17, part: 'train' }))!;
    expect(bytes(await again.clip(7)).equals(bytes(clips[7]!))).toBe(true);
    expect(again.identity).toBe(train.identity);
    expect(held.identity).not.toBe(train.identity);
    expect([train.files + held.files, train.distinct]).toEqual([7, Number.POSITIVE_INFINITY]);

    const captionsOf = (stream: typeof train) =>
      new Set(Array.from({ length: stream.files }, (_, i) => stream.captions(i).join('|')));
    const [learnt, kept] = [captionsOf(train), captionsOf(held)];
    expect(learnt.size).toBe(train.files);
    for (const caption of kept) expect(learnt.has(caption)).toBe(false);
    expect(source.report()).toMatchObject({ clips: 8, heldOut: held.files });
    expect(source.report()!.skipped).toEqual([
      { name: 'eight.png, in clips of 17', reason: 'a single picture, 17 are needed' },
    ]);
    expect(source.vocabulary.chineseWords()).toContain('黄色');
    const other = (await source.stream({ seed: 2, frames: 17, part: 'train' }))!;
    const others = await Promise.all([0, 1, 2, 3].map((i) => other.clip(i)));
    expect(others.every((clip, i) => bytes(clip).equals(bytes(clips[i]!)))).toBe(false);
  });

  it('cuts crops and other aspects, and takes stills from everything', async () => {
    const source = await open(false);
    const crops = (await source.stream({ seed: 1, frames: 1, part: 'train', crop: 48 }))!;
    const [first, second] = [await crops.clip(0), await crops.clip(crops.files)];
    expect([first.width, first.height, first.frames, first.pixels.length]).toEqual([48, 48, 1, 48 * 48 * 3]);
    expect(second.pixels).not.toEqual(first.pixels);
    const wide = (await source.stream({ seed: 1, frames: 17, part: 'train', aspect: 'landscape' }))!;
    expect(await wide.clip(0)).toMatchObject({ width: 160, height: 96 });
  });

  it('knows where clips cannot differ', async () => {
    const folder = fresh('exact');
    for (const name of ['a', 'b', 'c'])
      await writeGreys(path.join(folder, `${name}.webp`), Array(17).fill(name.charCodeAt(0)), 12, square);
    const source = await open(false, folder);
    const train = (await source.stream({ seed: 1, frames: 17, part: 'train' }))!;
    expect(train.distinct).toBe(2);
    expect((await source.stream({ seed: 1, frames: 1, part: 'train' }))!.distinct).toBe(Number.POSITIVE_INFINITY);
  });

  it.each<[string, (folder: string) => void | Promise<void>, boolean, RegExp]>([
    ['without clips', () => {}, false, /clips .*: there must be a clip, got none/],
    [
      'without captions',
      (f) => cpSync(at('clips', 'four.webp'), path.join(f, 'a.webp')),
      true,
      /some clip must have a caption, got there is no caption file a\.txt/,
    ],
    [
      'of nothing that decodes',
      (f) => writeFileSync(path.join(f, 'a.mp4'), ''),
      false,
      /some clip must decode, got a\.mp4: the file must be/,
    ],
    [
      'of short clips',
      (f) => writeGreys(path.join(f, 'a.webp'), [1, 2, 3], 12, square),
      false,
      /some clip must have 17 frames at 12 a second, got 3/,
    ],
  ])('%s is refused', async (name, fill, captions, message) => {
    const folder = fresh(name);
    await fill(folder);
    const stream = async () => (await open(captions, folder)).stream({ seed: 1, frames: 17, part: 'train' });
    await expect(stream()).rejects.toThrow(message);
    await expect(stream()).rejects.toMatchObject({ kind: 'data' });
  });

  it('validates on what it trains on where there is nothing else, and says so', async () => {
    const folder = fresh('single');
    cpSync(at('clips', 'four.webp'), path.join(folder, 'a.webp'));
    const source = await open(false, folder);
    const [train, held] = await Promise.all(
      (['train', 'held-out'] as const).map((part) => source.stream({ seed: 1, frames: 17, part })),
    );
    expect(held!.identity).toBe(train!.identity);
    expect(source.report()!.notes).toEqual([
      'no clip of 17 frames is held out: validation is on clips of the training',
    ]);
    expect(await source.stream({ seed: 1, frames: 17, part: 'unseen' })).toBeUndefined();
  });

  it('stops while it decodes', async () => {
    const controller = new AbortController();
    const stopping = {
      decode: { ...decode, cache: at('stopped') },
      captions: false,
      onProgress: () => controller.abort(),
    };
    const source = await folderSource(at('clips'), stopping);
    const stream = source.stream({ seed: 1, frames: 17, part: 'train', signal: controller.signal });
    await expect(stream).rejects.toMatchObject({ kind: 'aborted' });
  });
});

describe('step-video data check', () => {
  async function cli(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
    const out: string[] = [];
    const err: string[] = [];
    const world: World = {
      print: (line) => out.push(line),
      note: (line) => err.push(line),
      terminal: undefined,
      signal: new AbortController().signal,
      program: 'step-video',
    };
    return { code: await run(['data', ...argv], world), out: out.join('\n'), err: err.join('\n') };
  }

  it('lists clips, sums them up, and gives the same as JSON', async () => {
    const { code, out } = await cli('check', at('clips'));
    expect(code).toBe(0);
    expect(out).toMatch(/^one\.mp4 +64x48 +24 +1\.5 +18 +2( +held out)?$/m);
    expect(out).toMatch(/^eight\.png +50x30 +still +1 +1/m);
    expect(out).toMatch(/clips: 8 clips, \d of them held out, 1 stills, 8 with captions, 0 skipped$/m);
    expect(out).toMatch(/^at 12 frames a second: 11\.7 seconds; 7 of at least 17 frames, 0 of at least 34 frames/m);
    const json = JSON.parse((await cli('check', at('clips'), '--fps', '6', '--json')).out);
    expect(json.clips).toHaveLength(8);
    expect(json.clips.find(({ name }: { name: string }) => name === 'one.mp4')).toMatchObject({ framesAtRate: 9 });
  });

  it.each<[string[], RegExp, number]>([
    [['check'], /data: check must be followed by one directory, got check/, 2],
    [['chekc', 'x'], /data: must be followed by build or check DIR, got chekc x/, 2],
    [['check', 'x', '--fps', '0'], /--fps must be a number above 0/, 2],
    [['check', '/nowhere/at/all'], /clips: the folder must be readable, got \/nowhere\/at\/all/, 1],
  ])('%j is refused', async (argv, message, code) => {
    expect(await cli(...argv)).toMatchObject({ code, err: expect.stringMatching(message) });
  });
});
