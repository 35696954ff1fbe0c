/**
 * A model hub on 127.0.0.1 that speaks the HTTP of both hubs: Hugging Face (tree in pages, resolve with a redirect of
 * large files to a second origin) and ModelScope (one listing, files by query). `faults` make it misbehave.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export const REPOSITORY = 'stepfun-ai/stepvideo-t2v';
export const COMMIT = 'c0ffee00'.repeat(5);

/** What goes wrong; everything is off at first. */
export type Faults = {
  /** Answers 401 without this token. */
  token?: string;
  /** Answers every request with a login page. */
  html?: boolean;
  /** Answers requests for large files with a page. */
  htmlFiles?: boolean;
  /** Closes so many connections in the middle of a body. */
  drop: number;
  /** Closes so many connections after the last byte, without the end of the answer. */
  dropAtEnd?: number;
  /** Statuses that come instead of large files, one a request. */
  statuses: number[];
  /** Milliseconds before an answer to a large file begins; `slow` times. */
  delay?: { milliseconds: number; times: number };
  /** Sends so many bytes of large files, then nothing while this stands. */
  hold?: { after: number };
  /** Sends other bytes than listed. */
  corrupt?: string;
  /** Ignores ranges. */
  noRanges?: boolean;
  /** Size that the listing claims for one file. */
  claim?: { path: string; size: number };
};

export type Seen = {
  path: string;
  range: string | undefined;
  authorization: string | undefined;
  cookie: string | undefined;
};

export type FakeHub = {
  url: string;
  files: Map<string, Buffer>;
  faults: Faults;
  /** Requests to the hub and to its second origin, in order. */
  seen: Seen[];
  seenElsewhere: Seen[];
  /** Bytes of large files that were sent. */
  sent(): number;
  close(): Promise<void>;
};

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const gitSha1 = (bytes: Buffer): string =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
const isLarge = (path: string): boolean => /\.(safetensors|bin|model|so)$/.test(path);
const PAGE = 4;

export async function startHub(files: ReadonlyMap<string, Buffer>, repository = REPOSITORY): Promise<FakeHub> {
  let bytesSent = 0;
  const faults: Faults = { drop: 0, statuses: [] };
  const hub: Pick<FakeHub, 'files' | 'faults' | 'seen' | 'seenElsewhere'> = {
    files: new Map(files),
    faults,
    seen: [],
    seenElsewhere: [],
  };

  const json = (response: ServerResponse, status: number, body: unknown, headers = {}): void => {
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
    response.end(JSON.stringify(body));
  };
  const page = (response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    response.end('<!doctype html><title>Sign in</title>');
  };
  const note = (list: Seen[], { url, headers }: IncomingMessage): void => {
    const { range, authorization, cookie } = headers;
    list.push({ path: decodeURIComponent(url ?? ''), range, authorization, cookie });
  };

  /** The bytes, as a file server sends them. */
  const send = async (request: IncomingMessage, response: ServerResponse, path: string): Promise<void> => {
    const listed = hub.files.get(path);
    if (!listed) return json(response, 404, { error: 'Entry not found' });
    if (isLarge(path)) {
      const status = faults.statuses.shift();
      if (status !== undefined) return json(response, status, { error: 'try later' }, { 'retry-after': '0' });
      if (faults.htmlFiles) return page(response);
      if (faults.delay && faults.delay.times-- > 0) {
        await sleep(faults.delay.milliseconds);
      }
    }
    const bytes = faults.corrupt === path ? Buffer.from(listed).fill(7, listed.length >> 1) : listed;
    const match = faults.noRanges ? null : /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    const [start, end] = match ? [Number(match[1]), Math.min(bytes.length, Number(match[2]) + 1)] : [0, bytes.length];
    if (start >= end && bytes.length > 0) return json(response, 416, { error: 'range' });
    const dropsAtEnd = isLarge(path) && (faults.dropAtEnd ?? 0) > 0;
    if (dropsAtEnd) faults.dropAtEnd! -= 1;
    response.writeHead(match ? 206 : 200, {
      'content-type': 'application/octet-stream',
      ...(!dropsAtEnd && { 'content-length': end - start }),
      etag: `"${sha256(bytes)}"`,
      ...(match && { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` }),
    });
    const drops = isLarge(path) && faults.drop > 0 && end - start > 2;
    if (drops) faults.drop -= 1;
    const until = drops ? start + ((end - start) >> 1) : end;
    for (let at = start; at < until; ) {
      const to = Math.min(until, at + 64 * 1024);
      if (isLarge(path)) {
        while (faults.hold && bytesSent >= faults.hold.after && !response.destroyed) await sleep(20);
        if (response.destroyed) return;
        bytesSent += to - at;
      }
      response.write(bytes.subarray(at, to));
      at = to;
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (drops || dropsAtEnd) setTimeout(() => response.destroy(), 20);
    else response.end();
  };

  const elsewhere = createServer((request, response) => {
    note(hub.seenElsewhere, request);
    const path = new URL(request.url ?? '', 'http://cdn').searchParams.get('path') ?? '';
    void send(request, response, path);
  });
  const cdn = await listen(elsewhere);

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    note(hub.seen, request);
    if (faults.html) return page(response);
    if (faults.token !== undefined && request.headers.authorization !== `Bearer ${faults.token}`) {
      return json(response, 401, { error: 'Invalid username or password.' });
    }
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://hub');
    const at = decodeURIComponent(pathname);
    const file = (path: string): void => {
      const bytes = hub.files.get(path);
      if (!bytes || !isLarge(path)) return void send(request, response, path);
      response.writeHead(302, {
        location: `${cdn}/signed?path=${encodeURIComponent(path)}`,
        'x-repo-commit': COMMIT,
        'x-linked-size': bytes.length,
        'x-linked-etag': `"${sha256(bytes)}"`,
      });
      response.end();
    };
    const huggingface = `/api/models/${repository}`;
    const modelscope = `/api/v1/models/${repository}/repo`;
    if (at === `${huggingface}/revision/main` || at === `${huggingface}/revision/${COMMIT}`) {
      return json(response, 200, { _id: '1', id: repository, sha: COMMIT, lastModified: '2025-03-17T00:00:00.000Z' });
    }
    if (at === `${huggingface}/tree/${COMMIT}`) {
      const from = Number(searchParams.get('cursor') ?? 0);
      const entries = [
        { type: 'directory', path: 'vae', oid: 'd'.repeat(40), size: 0 },
        ...huggingfaceEntries(hub.files, faults),
      ];
      searchParams.set('cursor', String(from + PAGE));
      const next = from + PAGE < entries.length ? { link: `<${url}${pathname}?${searchParams}>; rel="next"` } : {};
      return json(response, 200, entries.slice(from, from + PAGE), next);
    }
    const resolve = `/${repository}/resolve/${COMMIT}/`;
    if (at.startsWith(resolve)) return file(at.slice(resolve.length));
    if (at === `${modelscope}/files` && searchParams.get('Revision') === 'master') {
      return json(response, 200, { Code: 200, Success: true, Data: { Files: modelscopeEntries(hub.files, faults) } });
    }
    if (at === modelscope && searchParams.get('Revision') === 'master') return file(searchParams.get('FilePath') ?? '');
    json(response, 404, { Code: 10010205001, Success: false, Message: 'Not found', error: 'Repository not found' });
  };
  const server = createServer((request, response) => void serve(request, response));
  const url = await listen(server);
  // The same object, so that a test may put other files into it.
  return Object.assign(hub, {
    url,
    sent: () => bytesSent,
    async close() {
      await Promise.all([server, elsewhere].map(stop));
    },
  });
}

const sizeOf = (path: string, bytes: Buffer, { claim }: Faults): number =>
  claim?.path === path ? claim.size : bytes.length;

function huggingfaceEntries(files: ReadonlyMap<string, Buffer>, faults: Faults): object[] {
  return [...files].map(([path, bytes]) => {
    const size = sizeOf(path, bytes, faults);
    const lfs = { oid: sha256(bytes), size, pointerSize: 135 };
    return { type: 'file', path, size, oid: gitSha1(bytes), ...(isLarge(path) && { lfs }) };
  });
}

function modelscopeEntries(files: ReadonlyMap<string, Buffer>, faults: Faults): object[] {
  const folders = new Set([...files.keys()].flatMap((path) => (path.includes('/') ? [path.split('/')[0]] : [])));
  return [
    ...[...folders].map((path) => ({ Type: 'tree', Path: path, Name: path, Size: 0, Sha256: '', Revision: 'a' })),
    ...[...files].map(([path, bytes]) => ({
      Type: 'blob',
      Path: path,
      Name: path.split('/').at(-1),
      Size: sizeOf(path, bytes, faults),
      Sha256: sha256(bytes),
      IsLFS: isLarge(path),
      Revision: 'a1b2c3',
    })),
  ];
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
