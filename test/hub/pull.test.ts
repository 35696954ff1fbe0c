/** Whole pulls from a local hub that speaks both hubs' HTTP, when all goes well: what is fetched, where it lies, what it costs. */
import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PRESETS, presetOf } from '../../src/presets.ts';
import { type PullEvent, pull } from '../../src/pull.ts';
import { COMMIT, type FakeHub, REPOSITORY, startHub } from './hub-server.ts';
import { cacheOfItsOwn, digests, filesBelow, leftovers, NEEDED, officialNames } from './repository.ts';

const files = officialNames();
let hub: FakeHub;
let turbo: FakeHub;
beforeAll(async () => {
  hub = await startHub(files);
  turbo = await startHub(files, `${REPOSITORY}-turbo`);
});
afterAll(async () => {
  await hub.close();
  await turbo.close();
});
beforeEach(() => {
  hub.seen.length = 0;
  hub.seenElsewhere.length = 0;
});

const rangeBytes = 256 * 1024;
const needed = new Map(NEEDED.map((path) => [path, files.get(path)!]));

describe.each(['huggingface', 'modelscope'] as const)('%s', (from) => {
  it('fetches what the loaders need, in ranges, byte for byte, and nothing else', async () => {
    const { env, home } = cacheOfItsOwn(hub.url);
    const done = await pull({ repository: REPOSITORY, from }, { env, rangeBytes });
    expect(digests(filesBelow(done.directory))).toEqual(digests(needed));
    const bytes = [...needed.values()].reduce((sum, file) => sum + file.length, 0);
    expect(done).toMatchObject({ files: NEEDED.length, bytes, fetched: bytes });
    const ranges = hub.seenElsewhere.filter(({ path }) => path.includes('vae_v2')).map(({ range }) => range);
    expect(ranges.length).toBe(Math.ceil(3_000_000 / rangeBytes));
    expect(new Set(ranges).size).toBe(ranges.length);
    expect(leftovers(home)).toEqual([]);
  });

  it('fetches nothing twice, and only what is new in a second --only', async () => {
    const { env } = cacheOfItsOwn(hub.url);
    const first = await pull({ repository: REPOSITORY, from, only: ['vae'] }, { env });
    expect([...filesBelow(first.directory).keys()].sort()).toEqual(['model_index.json', 'vae/vae_v2.safetensors']);
    hub.seenElsewhere.length = 0;
    const again = await pull({ repository: REPOSITORY, from, only: ['vae'] }, { env });
    expect([again.fetched, again.directory, hub.seenElsewhere.length]).toEqual([0, first.directory, 0]);
    const more = await pull({ repository: REPOSITORY, from, only: ['hunyuan_clip', 'vae'] }, { env });
    expect(more.directory).toBe(first.directory);
    expect(filesBelow(more.directory).size).toBe(7);
    expect(hub.seenElsewhere.map(({ path }) => path)).toEqual([expect.stringContaining('pytorch_model.bin')]);
  });

  it('says what it does: a start, bytes of each file that never shrink, a check of each', async () => {
    const { env } = cacheOfItsOwn(hub.url);
    const events: PullEvent[] = [];
    await pull({ repository: REPOSITORY, from }, { env, rangeBytes, onEvent: (event) => events.push(event) });
    expect(events[0]).toMatchObject({ type: 'start', hub: from, files: expect.any(Array) });
    const ended = events.filter((event) => event.type === 'file');
    expect(ended.map(({ path }) => path).sort()).toEqual([...NEEDED].sort());
    const checks = new Set(ended.map(({ check }) => check));
    expect(checks).toEqual(new Set(from === 'huggingface' ? ['SHA-256', 'git SHA-1'] : ['SHA-256']));
    const grown = events.flatMap((event) =>
      event.type === 'progress' && event.path === 'vae/vae_v2.safetensors' ? [event.received] : [],
    );
    expect(grown).toEqual([...grown].sort((a, b) => a - b));
  });

  it('sends the token to the hub and to no origin that it redirects to', async () => {
    const { env } = cacheOfItsOwn(hub.url);
    hub.faults.token = 'hf_secret';
    const named = { ...env, HF_TOKEN: 'hf_secret', MODELSCOPE_API_TOKEN: 'hf_secret' };
    await pull({ repository: REPOSITORY, from, only: ['vae'] }, { env: named }).finally(() => delete hub.faults.token);
    expect(hub.seen.every(({ authorization }) => authorization === 'Bearer hf_secret')).toBe(true);
    expect(hub.seenElsewhere.length).toBeGreaterThan(0);
    expect(hub.seenElsewhere.map(({ authorization, cookie }) => authorization ?? cookie)).toEqual(
      hub.seenElsewhere.map(() => undefined),
    );
  });
});

it('--turbo takes the repository beside it, which then samples by the turbo preset', async () => {
  const { env } = cacheOfItsOwn(turbo.url);
  for (const from of ['huggingface', 'modelscope'] as const) {
    const { directory } = await pull({ repository: REPOSITORY, turbo: true, from }, { env });
    expect(presetOf(directory)).toEqual(PRESETS.turbo);
    const named = await pull({ repository: `${REPOSITORY}-turbo`, turbo: true, from }, { env });
    expect([named.directory, named.fetched]).toEqual([directory, 0]);
  }
});

it('a URL is a mirror of Hugging Face, and gets no token', async () => {
  const { env } = cacheOfItsOwn('http://127.0.0.1:1');
  await pull(
    { repository: REPOSITORY, from: `${hub.url}/`, only: ['vae'] },
    { env: { ...env, HF_TOKEN: 'hf_secret' } },
  );
  expect(hub.seen.length).toBeGreaterThan(2);
  expect(hub.seen.every(({ authorization }) => authorization === undefined)).toBe(true);
});

it('goes through the proxy of the environment, redirects included', async () => {
  const tunnels: string[] = [];
  const proxy = createServer().on('connect', (request, socket, head) => {
    tunnels.push(request.url ?? '');
    const [host, port] = (request.url ?? '').split(':');
    // The hub is known to the proxy alone.
    const to = host === 'hub.invalid' ? Number(new URL(hub.url).port) : Number(port);
    const onward = connect(to, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    for (const end of [socket, onward]) end.on('error', () => {});
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { env } = cacheOfItsOwn('http://hub.invalid');
  const HTTP_PROXY = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const { files: count } = await pull({ repository: REPOSITORY, only: ['vae'] }, { env: { ...env, HTTP_PROXY } });
  expect(count).toBe(2);
  expect(new Set(tunnels.map((at) => at.split(':')[0]))).toEqual(new Set(['hub.invalid', '127.0.0.1']));
  proxy.closeAllConnections();
  await new Promise((resolve) => proxy.close(resolve));
});

it('takes the token that logging in to Hugging Face has left', async () => {
  const { env } = cacheOfItsOwn(hub.url);
  mkdirSync(env.HF_HOME!, { recursive: true });
  writeFileSync(join(env.HF_HOME!, 'token'), 'hf_saved\n');
  await pull({ repository: REPOSITORY, only: ['vae'] }, { env });
  expect(hub.seen[0]).toMatchObject({ authorization: 'Bearer hf_saved' });
});

describe('layout', () => {
  it('of Hugging Face: contents by hash, links, the branch as a file', async () => {
    const { env } = cacheOfItsOwn(hub.url);
    const { directory, revision } = await pull({ repository: REPOSITORY }, { env });
    const folder = join(env.HF_HOME!, 'hub', 'models--stepfun-ai--stepvideo-t2v');
    expect([directory, revision]).toEqual([join(folder, 'snapshots', COMMIT), COMMIT]);
    expect(readFileSync(join(folder, 'refs', 'main'), 'utf8')).toBe(COMMIT);
    const link = join(directory, 'vae', 'vae_v2.safetensors');
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readlinkSync(link)).toMatch(/^\.\.\/\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
    expect(readlinkSync(join(directory, 'vae', '..', 'model_index.json'))).toMatch(/blobs\/[0-9a-f]{40}$/);
  });

  it('of ModelScope: the files under the branch, or where an older library has begun', async () => {
    const { env } = cacheOfItsOwn(hub.url);
    const root = env.MODELSCOPE_CACHE!;
    const only = ['vae' as const];
    const { directory } = await pull({ repository: REPOSITORY, from: 'modelscope', only }, { env });
    expect(directory).toBe(join(root, 'models', 'stepfun-ai--stepvideo-t2v', 'snapshots', 'master'));
    expect(lstatSync(join(directory, 'vae', 'vae_v2.safetensors')).isFile()).toBe(true);

    const older = join(root, 'hub', 'models', 'stepfun-ai', 'stepvideo-t2v');
    mkdirSync(older, { recursive: true });
    writeFileSync(join(older, 'README.md'), 'of an older library');
    const there = await pull({ repository: REPOSITORY, from: 'modelscope', only }, { env });
    expect(there.directory).toBe(older);
    expect(existsSync(join(older, 'vae', 'vae_v2.safetensors'))).toBe(true);
  });

  it('of ModelScope: a branch that has moved replaces the files that differ', async () => {
    const { env } = cacheOfItsOwn(hub.url);
    const request = { repository: REPOSITORY, from: 'modelscope', only: ['transformer' as const] };
    await pull(request, { env });
    const path = 'transformer/config.json';
    const before = hub.files.get(path)!;
    hub.files.set(path, Buffer.from('{"dit": 2}\n'));
    const { directory, fetched } = await pull(request, { env }).finally(() => hub.files.set(path, before));
    expect([readFileSync(join(directory, path), 'utf8'), fetched]).toEqual(['{"dit": 2}\n', 11]);
  });
});

it('HF_HUB_OFFLINE asks nobody: the pulled snapshot, or an error that says what is missing', async () => {
  const { env } = cacheOfItsOwn(hub.url);
  const offline = { ...env, HF_HUB_OFFLINE: '1' };
  await expect(pull({ repository: REPOSITORY }, { env: offline })).rejects.toMatchObject({
    kind: 'environment',
    message: `pull: ${REPOSITORY} must be pulled before HF_HUB_OFFLINE is set, got nothing in the cache (try unsetting HF_HUB_OFFLINE)`,
  });
  const { directory } = await pull({ repository: REPOSITORY, only: ['vae', 'transformer'] }, { env });
  hub.seen.length = 0;
  const found = await pull({ repository: REPOSITORY, only: ['vae'] }, { env: offline });
  expect([found.directory, found.fetched]).toEqual([directory, 0]);
  await expect(pull({ repository: REPOSITORY }, { env: offline })).rejects.toThrow('must hold step_llm/ with one of');
  expect(hub.seen).toEqual([]);
});
