import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { create } from 'tar';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildEmojiWorld, decodeSprite, SPRITE_SIZE } from '../../src/data/build.ts';
import { fetchPackage, tarballName } from '../../src/data/fetch-package.ts';
import type { PinnedPackage } from '../../src/data/packages.ts';
import type { SubjectEntry } from '../../src/data/subjects.ts';
import { loadWorld, sha256, spritePath } from '../../src/data/world.ts';

/** A registry on this machine with two small packages of the real layout. */
let root: string;
let server: Server;
let registry: string;
let emoji: PinnedPackage;
let names: PinnedPackage;
let requests: string[] = [];
let outDir: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'step-video-data-'));
  emoji = await pack('@drawn/emoji', {
    'assets/aa.webp': await stillWebp(),
    'assets/bb-fe0f.webp': await animatedWebp(),
  });
  const table = (aa: string, bb: string) =>
    JSON.stringify([
      { hexcode: 'AA', label: aa },
      { hexcode: 'BB', label: bb },
    ]);
  names = await pack('names', { 'en/compact.json': table('square', 'blink'), 'zh/compact.json': table('方块', '闪') });
  server = createServer(async (request, response) => {
    requests.push(request.url!);
    const file = await readFile(join(root, request.url!.split('/').at(-1)!)).catch(() => undefined);
    response.writeHead(file ? 200 : 404).end(file);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  registry = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.close();
  await rm(root, { recursive: true });
});

beforeEach(async () => {
  requests = [];
  outDir = await mkdtemp(join(root, 'out-'));
});

async function pack(name: string, files: Record<string, string | Buffer>): Promise<PinnedPackage> {
  const folder = join(root, name.replace('/', '-'));
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(folder, 'package', path, '..'), { recursive: true });
    await writeFile(join(folder, 'package', path), content);
  }
  const pinned = { name, version: '1.2.3', integrity: '', licence: 'MIT' };
  const path = join(root, tarballName(pinned));
  await create({ gzip: true, cwd: folder, file: path }, ['package']);
  return {
    ...pinned,
    integrity: `sha512-${createHash('sha512')
      .update(await readFile(path))
      .digest('base64')}`,
  };
}

/** 256 × 256: a half-transparent red square in the middle half. */
const square = (alpha: number) =>
  Buffer.from(
    Uint8Array.from({ length: 256 * 256 * 4 }, (_, i) => {
      const x = Math.floor(i / 4) % 256;
      const y = Math.floor(i / 1024);
      const inside = x >= 64 && x < 192 && y >= 64 && y < 192;
      return inside ? [200, 0, 0, alpha][i % 4]! : 0;
    }),
  );
const stillWebp = () =>
  sharp(square(128), { raw: { width: 256, height: 256, channels: 4 } })
    .webp({ lossless: true })
    .toBuffer();

/** Four pages of 42 ms that differ in alpha. */
const animatedWebp = () =>
  sharp(Buffer.concat([60, 120, 180, 240].map(square)), {
    raw: { width: 256, height: 1024, channels: 4, pageHeight: 256 },
  })
    .webp({ lossless: true, delay: [42, 42, 42, 42] })
    .toBuffer();

const subject = (part: Partial<SubjectEntry>): SubjectEntry => ({
  ...{
    id: 'square',
    codepoint: 'aa',
    role: 'trained',
    source: emoji,
    english: ['square'],
    chinese: ['方块'],
    measure: '个',
  },
  ...part,
});
const build = (subjects = [subject({}), subject({ id: 'blink', codepoint: 'bb-fe0f', role: 'unseen' })]) =>
  buildEmojiWorld({ outDir, registry, subjects, names });

describe('buildEmojiWorld', () => {
  it('fetches, verifies and converts, then has nothing left to do', async () => {
    const first = await build();
    expect(first.built).toBe(true);
    expect(requests.sort()).toEqual(['/@drawn/emoji/-/emoji-1.2.3.tgz', '/names/-/names-1.2.3.tgz']);
    const world = await loadWorld(outDir);
    expect(world.subjects.map(({ id, role, frames, labels }) => ({ id, role, frames, labels }))).toEqual([
      { id: 'square', role: 'trained', frames: 1, labels: { en: 'square', zh: '方块' } },
      { id: 'blink', role: 'unseen', frames: 2, labels: { en: 'blink', zh: '闪' } },
    ]);
    const { pixels, size } = world.sprite('square');
    const at = (x: number, y: number) => [...pixels.subarray((y * size + x) * 4, (y * size + x) * 4 + 4)];
    expect(at(64, 64)).toEqual([100, 0, 0, 128]); // premultiplied
    expect(at(10, 64)).toEqual([0, 0, 0, 0]);
    const second = await build();
    expect(second).toEqual({ world: first.world, built: false });
    expect(requests).toHaveLength(2);
  });

  it('builds a half-written world again without downloading again', async () => {
    await build();
    await truncate(spritePath(outDir, 'aa'), 100);
    expect((await build()).built).toBe(true);
    await rm(join(outDir, 'world.json'));
    expect((await build()).built).toBe(true);
    expect(requests).toHaveLength(2);
    await loadWorld(outDir);
  });

  it('builds again when the ingredients change', async () => {
    await build();
    expect((await build([subject({ english: ['box'] })])).built).toBe(true);
    expect((await loadWorld(outDir)).subject('square').english).toEqual(['box']);
  });

  it('refuses a package of another hash, naming package, expected and got, and keeps nothing of it', async () => {
    const forged = { ...emoji, integrity: `sha512-${'A'.repeat(86)}==` };
    await expect(build([subject({ source: forged })])).rejects.toMatchObject({
      kind: 'data',
      message: expect.stringMatching(/package @drawn\/emoji@1\.2\.3 must have the hash sha512-AAAA.*got sha512-/),
      got: emoji.integrity,
    });
    expect(await readdir(join(outDir, 'packages'))).toEqual(['names-1.2.3.tgz']);
    await expect(loadWorld(outDir)).rejects.toThrow(/must be built first.*try step-video data build/);
  });

  it('refuses a damaged tarball in the cache and says which file to delete', async () => {
    await build();
    await rm(join(outDir, 'world.json'));
    await writeFile(join(outDir, 'packages', 'emoji-1.2.3.tgz'), 'not a tarball');
    await expect(build()).rejects.toThrow(
      /must have the hash .* \(try deleting .*emoji-1\.2\.3\.tgz and building again\)/,
    );
  });

  it('says what is missing: a package, an emoji in it, a name', async () => {
    await expect(build([subject({ source: { ...emoji, name: 'nowhere' } })])).rejects.toThrow(
      /nowhere-1\.2\.3\.tgz must be downloadable, got HTTP status 404/,
    );
    await expect(build([subject({ codepoint: 'cc' })])).rejects.toThrow(
      /emoji-1\.2\.3\.tgz must hold package\/assets\/cc\.webp/,
    );
    const other = await pack('other', { 'assets/dd.webp': await stillWebp() });
    await expect(build([subject({ codepoint: 'dd', source: other })])).rejects.toThrow(
      /emojibase must name every subject, got DD/,
    );
  });

  it('stops on its signal and leaves no partial download', async () => {
    const stop = new AbortController();
    stop.abort();
    const fetching = fetchPackage(emoji, { directory: join(outDir, 'packages'), registry, signal: stop.signal });
    await expect(fetching).rejects.toMatchObject({ kind: 'aborted' });
    expect(await readdir(join(outDir, 'packages'))).toEqual([]);
  });

  it('reports an unreachable registry with its reason', async () => {
    const fetching = fetchPackage(emoji, { directory: outDir, registry: 'http://127.0.0.1:1' });
    await expect(fetching).rejects.toThrow(/must be downloadable, got .+ \(try checking the network/);
  });
});

describe('loadWorld', () => {
  it('says how to build what is missing', async () => {
    await expect(loadWorld(join(outDir, 'none'))).rejects.toMatchObject({
      kind: 'data',
      hint: 'step-video data build',
    });
  });

  it('refuses changed pixels, a missing sprite and a malformed list', async () => {
    await build();
    const path = spritePath(outDir, 'aa');
    const pixels = await readFile(path);
    pixels[0] = pixels[0]! ^ 1;
    await writeFile(path, pixels);
    await expect(loadWorld(outDir)).rejects.toThrow(`must have sha256`);
    await expect(loadWorld(outDir)).rejects.toThrow(`got ${sha256(pixels)}`);
    await rm(path);
    await expect(loadWorld(outDir)).rejects.toThrow(/every sprite of world.json must exist, got .*aa\.bin/);
    await writeFile(join(outDir, 'world.json'), '{"format": 0}');
    await expect(loadWorld(outDir)).rejects.toThrow(/world.json must be of format 1/);
  });
});

describe('decodeSprite', () => {
  it('resamples an animation to 12 frames/s, or takes one page of it', async () => {
    const webp = await animatedWebp();
    const sprite = await decodeSprite(webp, SPRITE_SIZE);
    const alpha = (frame: number) => sprite.pixels[((frame * SPRITE_SIZE + 64) * SPRITE_SIZE + 64) * 4 + 3];
    expect([sprite.frames, alpha(0), alpha(1)]).toEqual([2, 60, 120]); // page 1 lasts from 42 to 84 ms, frame 1 is at 83.3 ms
    const still = await decodeSprite(webp, SPRITE_SIZE, 3);
    expect([still.frames, still.pixels[(64 * SPRITE_SIZE + 64) * 4 + 3]]).toEqual([1, 240]);
  });

  it('refuses pictures that are not square or too small', async () => {
    const small = await sharp({ create: { width: 64, height: 64, channels: 4, background: 'red' } })
      .webp()
      .toBuffer();
    await expect(decodeSprite(small, SPRITE_SIZE)).rejects.toThrow(/square and at least 128 pixels wide, got 64x64/);
  });
});
