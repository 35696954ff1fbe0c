/** Pulls from a local hub that misbehaves: each fault passes, or is one clear error that leaves nothing that looks whole. */
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type PullEvent, type PullRequest, pull } from '../../src/pull.ts';
import { type FakeHub, REPOSITORY, startHub } from './hub-server.ts';
import { bytesOf, cacheOfItsOwn, digests, filesBelow, leftovers, officialNames } from './repository.ts';

const files = officialNames(2_000_000);
const VAE = 'vae/vae_v2.safetensors';
const VAE_SHA256 = digests(files)[VAE]!;
let hub: FakeHub;
beforeAll(async () => {
  hub = await startHub(files);
});
afterAll(() => hub.close());
afterEach(() => {
  hub.files = new Map(files);
  for (const fault of Object.keys(hub.faults)) delete (hub.faults as Record<string, unknown>)[fault];
  Object.assign(hub.faults, { drop: 0, statuses: [] });
  hub.seen.length = 0;
  hub.seenElsewhere.length = 0;
});

const hubs = ['huggingface', 'modelscope'] as const;
const quick = { rangeBytes: 300_000, pause: 1 };

/** Files of a cache that a reader could open: not those that are named as parts. */
const whole = (home: string): string[] => [...filesBelow(home).keys()].filter((path) => !/\.part(\.json)?$/.test(path));

async function failure(
  request: Partial<PullRequest>,
  { env }: { env: Record<string, string> },
  options: object = {},
): Promise<unknown> {
  const going = pull({ repository: REPOSITORY, only: ['vae'], ...request }, { env, ...quick, ...options });
  return going.then(
    () => 'no failure',
    (error: Error & { kind: string }) => [
      error.kind,
      error.message.replaceAll(hub.url, 'HUB').replaceAll(env.HOME!, '~'),
    ],
  );
}

describe.each(hubs)('%s: passes', (from) => {
  const request = { repository: REPOSITORY, from, only: ['vae' as const] };

  it.each<[string, (hub: FakeHub) => void, object]>([
    ['connections that drop in the middle', ({ faults }) => Object.assign(faults, { drop: 5 }), {}],
    ['connections that drop after the last byte', ({ faults }) => Object.assign(faults, { dropAtEnd: 3 }), {}],
    ['busy and broken answers', ({ faults }) => faults.statuses.push(503, 429, 500, 503), {}],
    ['a signed address that has expired', ({ faults }) => faults.statuses.push(403, 403), {}],
    ['a slow start', ({ faults }) => Object.assign(faults, { delay: { milliseconds: 400, times: 4 } }), {}],
    [
      'an answer that does not come at all, asked for again',
      ({ faults }) => Object.assign(faults, { delay: { milliseconds: 5000, times: 1 } }),
      // Many tries: on a busy machine this process itself may be silent for so long.
      { patience: 1000, retries: 50 },
    ],
    [
      'a server without ranges, for files of one request, also after a drop',
      ({ faults }) => Object.assign(faults, { noRanges: true, drop: 2 }),
      { rangeBytes: 10_000_000 },
    ],
  ])('%s', async (_name, misbehave, options) => {
    const { env, home } = cacheOfItsOwn(hub.url);
    misbehave(hub);
    const { directory } = await pull(request, { env, ...quick, ...options });
    const wanted = ['model_index.json', VAE].map((path): [string, Buffer] => [path, files.get(path)!]);
    expect(digests(filesBelow(directory))).toEqual(digests(new Map(wanted)));
    expect(leftovers(home)).toEqual([]);
  });
});

describe.each(hubs)('%s: fails with one clear error', (from) => {
  it('for a wrong hash, removes the bytes, and succeeds when the hub is right again', async () => {
    const { env, home } = cacheOfItsOwn(hub.url);
    hub.faults.corrupt = VAE;
    const [kind, message] = (await failure({ from }, { env })) as [string, string];
    expect([kind, message]).toEqual([
      'data',
      expect.stringMatching(
        /^pull: vae\/vae_v2\.safetensors must have the SHA-256 [0-9a-f]{64}, got [0-9a-f]{64} \(try/,
      ),
    ]);
    expect([leftovers(home), whole(home).filter((path) => path.includes('vae_v2'))]).toEqual([[], []]);
    delete hub.faults.corrupt;
    const { directory } = await pull({ repository: REPOSITORY, from, only: ['vae'] }, { env, ...quick });
    expect(digests(filesBelow(directory))).toMatchObject(digests(new Map([[VAE, files.get(VAE)!]])));
  });

  it('for a hub that wants a token', async () => {
    const { env, home } = cacheOfItsOwn(hub.url);
    hub.faults.token = 'hf_right';
    const [kind, message] = (await failure({ from }, { env: { ...env, HF_TOKEN: 'hf_wrong' } })) as [string, string];
    expect([kind, message]).toEqual(['environment', expect.stringContaining('must be public, or open to your token')]);
    expect(message).toContain(from === 'modelscope' ? 'MODELSCOPE_API_TOKEN' : 'HF_TOKEN');
    expect(message).toContain('401: {"error":"Invalid username or password."}');
    expect(existsSync(home) ? whole(home) : []).toEqual([]);
  });

  it('for a repository or revision that is not there', async () => {
    const { env } = cacheOfItsOwn(hub.url);
    for (const wrong of [{ repository: 'stepfun-ai/none' }, { revision: 'v9' }]) {
      const [kind, message] = (await failure({ from, ...wrong }, { env })) as [string, string];
      expect([kind, message]).toEqual([
        'input',
        expect.stringMatching(/^pull: HUB\S+ must exist, got HTTP status 404/),
      ]);
    }
  });

  it('for a hub that answers HTML, to the listing or in place of a file', async () => {
    const { env, home } = cacheOfItsOwn(hub.url);
    for (const fault of ['html', 'htmlFiles'] as const) {
      hub.faults[fault] = true;
      const [kind, message] = (await failure({ from }, { env })) as [string, string];
      expect(kind).toBe('environment');
      expect(message).toMatch(/^pull: HUB\S+ must be answered by a model hub, got an HTML page \(try another --from/);
      delete hub.faults[fault];
    }
    expect(existsSync(home) ? whole(home).filter((path) => path.includes('vae')) : []).toEqual([]);
  });

  it('for a disk without room, before any file is asked for', async () => {
    const { env } = cacheOfItsOwn(hub.url);
    hub.faults.claim = { path: VAE, size: 8e15 };
    const [kind, message] = (await failure({ from }, { env })) as [string, string];
    expect(kind).toBe('environment');
    expect(message).toMatch(
      /^pull: the disk of \/.+ must have 8000000\.0 GB free for what is missing, got [\d.]+ .B \(try --only/,
    );
    expect(hub.seenElsewhere).toEqual([]);
    expect(hub.seen.some(({ path }) => path.includes('resolve') || path.includes('FilePath'))).toBe(false);
  });

  it('for a file that changes its size while it is fetched: its bytes are not kept', async () => {
    const { env, home } = cacheOfItsOwn(hub.url);
    const onEvent = ({ type, ...event }: PullEvent): void => {
      if (type === 'progress' && 'path' in event && event.path === VAE) hub.files.set(VAE, bytesOf(1_900_000, 99));
    };
    const [kind, message] = (await failure({ from }, { env }, { onEvent, connections: 1 })) as [string, string];
    expect(kind).toBe('data');
    expect(message).toMatch(
      /^pull: vae\/vae_v2\S+ must stay as it is listed, 2000000 bytes, while it is fetched, got 1900000 bytes/,
    );
    expect(leftovers(home).filter((name) => name.includes(VAE_SHA256))).toEqual([]);
  });

  it('for a file that changes its content while it is fetched, and says that this is why', async () => {
    const { env } = cacheOfItsOwn(hub.url);
    const onEvent = ({ type, ...event }: PullEvent): void => {
      if (type === 'progress' && 'path' in event && event.path === VAE) hub.files.set(VAE, bytesOf(2_000_000, 99));
    };
    const [kind, message] = (await failure({ from }, { env }, { onEvent, connections: 1 })) as [string, string];
    expect([kind, message]).toEqual([
      'data',
      expect.stringMatching(/must have the SHA-256 .+the file changed while it was/),
    ]);
  });

  it('for a network that stays broken, and keeps what came', async () => {
    const { env, home } = cacheOfItsOwn(hub.url);
    const onEvent = (event: PullEvent): void => {
      if (event.type === 'progress' && event.path === VAE) hub.faults.statuses = Array(1000).fill(500);
    };
    const [kind, message] = (await failure({ from }, { env }, { onEvent, connections: 1, retries: 2 })) as string[];
    expect([kind, message]).toEqual([
      'environment',
      expect.stringMatching(/^pull: HUB\S+ must be reachable, got HTTP status 500.+goes on from here/),
    ]);
    expect(leftovers(home).filter((name) => name.endsWith(`${VAE_SHA256}.part`)).length).toBe(1);
    expect(whole(home).filter((path) => path.includes('snapshots'))).toEqual([]);
    hub.faults.statuses = [];
    hub.seenElsewhere.length = 0;
    const { fetched } = await pull({ repository: REPOSITORY, from, only: ['vae'] }, { env, ...quick });
    expect(fetched).toBeLessThan(2_000_000);
    expect(hub.seenElsewhere.some(({ range }) => range?.startsWith('bytes=0-'))).toBe(false);
  });

  it('for a server without ranges that never gets to the end of a file', async () => {
    const { env } = cacheOfItsOwn(hub.url);
    Object.assign(hub.faults, { noRanges: true, drop: 1000 });
    const [kind, message] = (await failure({ from }, { env }, { rangeBytes: 10_000_000, retries: 2 })) as string[];
    expect([kind, message]).toEqual(['environment', expect.stringMatching(/must be reachable, got /)]);
    expect(hub.faults.drop).toBeGreaterThan(900);
  });

  it('for a server without ranges, where the file needs them', async () => {
    const { env } = cacheOfItsOwn(hub.url);
    hub.faults.noRanges = true;
    const [kind, message] = (await failure({ from }, { env })) as [string, string];
    expect([kind, message]).toEqual(['environment', expect.stringContaining('must answer ranges of a file')]);
  });

  it('when it is stopped, and goes on from there', async () => {
    const { env, home } = cacheOfItsOwn(hub.url);
    const enough = hub.sent() + 1_000_000;
    hub.faults.hold = { after: enough };
    const stopping = new AbortController();
    const looking = setInterval(() => hub.sent() >= enough && setTimeout(() => stopping.abort(), 100), 20);
    const [kind, message] = (await failure({ from }, { env }, { signal: stopping.signal })) as string[];
    clearInterval(looking);
    expect([kind, message]).toEqual(['aborted', expect.stringContaining('the same command goes on from there')]);
    expect(whole(home).filter((path) => path.includes('vae'))).toEqual([]);
    delete hub.faults.hold;
    const { fetched } = await pull({ repository: REPOSITORY, from, only: ['vae'] }, { env, ...quick });
    expect(fetched).toBeLessThan(1_700_000);
  });

  it('for a folder that cannot be written', async () => {
    const { env, home } = cacheOfItsOwn(hub.url);
    writeFileSync(env.HF_HOME!, '');
    writeFileSync(env.MODELSCOPE_CACHE!, '');
    const [kind, message] = (await failure({ from }, { env })) as [string, string];
    expect([kind, message]).toEqual(['environment', expect.stringMatching(/ must be writable, got (EEXIST|ENOTDIR)/)]);
    expect(readdirSync(home).length).toBe(2);
  });

  it('for a part file that is not one, by fetching it anew', async () => {
    const { env, home } = cacheOfItsOwn(hub.url);
    await failure({ from }, { env }, { signal: AbortSignal.abort() });
    const { directory } = await pull({ repository: REPOSITORY, from, only: ['vae'] }, { env, ...quick });
    const folder =
      from === 'huggingface'
        ? 'huggingface/hub/models--stepfun-ai--stepvideo-t2v/blobs'
        : 'modelscope/models/stepfun-ai--stepvideo-t2v/.parts';
    const sha = VAE_SHA256;
    const part = join(home, folder, `${sha}.part`);
    rmSync(join(directory, VAE));
    rmSync(join(home, folder, sha), { force: true });
    for (const state of [
      '',
      '{"id":"other","size":2000000,"done":[[0,2000000]]}',
      `{"id":"${sha}","size":2000000,"done":[[5,3]]}`,
    ]) {
      writeFileSync(part, Buffer.alloc(2_000_000));
      writeFileSync(`${part}.json`, state);
      const again = await pull({ repository: REPOSITORY, from, only: ['vae'] }, { env, ...quick });
      expect(again.fetched).toBe(2_000_000);
      rmSync(join(directory, VAE));
      rmSync(join(home, folder, sha), { force: true });
    }
  });
});

it.each<[string, object, string]>([
  [
    'a name',
    { repository: 'stepvideo' },
    'repository must be OWNER/NAME, as in stepfun-ai/stepvideo-t2v, got stepvideo',
  ],
  ['a path', { repository: '../../etc' }, 'repository must be OWNER/NAME'],
  ['a hub', { from: 'github' }, 'from must be one of huggingface, modelscope, or a URL, got github'],
  ['a scheme', { from: 'ftp://x' }, 'from must be one of huggingface, modelscope, or a URL, got ftp://x'],
  ['a component', { only: ['unet'] }, 'only must be some of transformer,vae,step_llm,hunyuan_clip, got unet'],
  ['no component', { only: [] }, 'only must be some of transformer,vae,step_llm,hunyuan_clip'],
  ['a revision', { revision: '../x' }, 'revision must be a branch, a tag or a commit, got ../x'],
])('refuses %s that is none, before any request', async (_name, request, message) => {
  const { env } = cacheOfItsOwn(hub.url);
  const failed = (await failure(request, { env })) as [string, string];
  expect(failed).toEqual(['input', expect.stringContaining(`pull: ${message}`)]);
  expect(hub.seen).toEqual([]);
});

describe('a repository that lacks what is needed is refused before any large file', () => {
  it.each<[string, string[], string]>([
    [
      'a shard',
      ['transformer/diffusion_pytorch_model-00001-of-00002.safetensors'],
      'must hold transformer/diffusion_pytorch_model-00001-of-00002',
    ],
    ['the weights of a component', [VAE], 'must hold vae/ with one of vae_v2.safetensors'],
    ['a tokenizer', ['hunyuan_clip/tokenizer/vocab.txt'], 'must hold hunyuan_clip/tokenizer/vocab.txt'],
    ['a config', ['step_llm/config.json'], 'must hold step_llm/config.json'],
  ])('%s', async (_name, missing, message) => {
    const { env } = cacheOfItsOwn(hub.url);
    for (const path of missing) hub.files.delete(path);
    const [kind, said] = (await failure({ only: undefined }, { env })) as [string, string];
    expect([kind, said]).toEqual(['input', expect.stringContaining(message)]);
    expect(hub.seenElsewhere).toEqual([]);
  });
});
