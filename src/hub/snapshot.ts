/**
 * One snapshot of a repository: list, choose, check the disk, fetch and check each file, show all of them at once.
 * Knows the order of these; each step is another file's.
 */
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Component } from '../weights/component-config.ts';
import type { Environment } from './cache-paths.ts';
import { requireSpace, writingError } from './disk-space.ts';
import { ChangedFile, fetchMissing } from './download.ts';
import { type Http, openHttp, stoppedBy } from './http.ts';
import { type Hub, type HubFile, OP } from './hub.ts';
import { lengthOf } from './intervals.ts';
import { type Lock, tryLock } from './lock.ts';
import { inParallel } from './parallel.ts';
import { finishPart, openPart, type PartKey, partDone, removePart } from './part-file.ts';
import { neededFiles } from './selection.ts';
import type { Store } from './store.ts';
import { matches, type Verdict, verify } from './verify.ts';

/** What happens, as it happens. Bytes are of the whole file, those of an earlier run included. */
export type PullEvent =
  | { type: 'start'; hub: string; repository: string; revision: string; files: readonly PullFile[]; missing: number }
  | { type: 'progress'; path: string; received: number; size: number }
  /** Another process fetches this file. */
  | { type: 'wait'; path: string; received: number; size: number }
  /** A file is read to compare its hash: before the start where it was there already, else after it has come. */
  | { type: 'verify'; path: string; size: number }
  | { type: 'file'; path: string; size: number; check: Verdict['check'] | 'another process' };

export type PullFile = { path: string; size: number; received: number };

export type SnapshotOptions = {
  repository: string;
  /** Branch, tag or commit; the hub's main branch when absent. */
  revision?: string | undefined;
  /** Components to fetch; all when absent. */
  only?: readonly Component[] | undefined;
  /** Small files to add where the repository has none: path → content. */
  texts?: ReadonlyMap<string, string> | undefined;
  /** Most bytes of one request, 64 MiB unless told. */
  rangeBytes?: number | undefined;
  /** Connections for one file, and files at once. */
  connections?: number | undefined;
  filesAtOnce?: number | undefined;
  /** Milliseconds without a byte, failed tries in a row, first pause in milliseconds: see `openHttp`. */
  patience?: number | undefined;
  retries?: number | undefined;
  pause?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Tokens, addresses, proxies and cache folders as the hubs' own libraries read them; the process's when absent. */
  env?: Environment | undefined;
  onEvent?: ((event: PullEvent) => void) | undefined;
};

/** `fetched`: bytes that came over the network now. */
export type Snapshot = { directory: string; revision: string; files: number; bytes: number; fetched: number };

/** At most one report of a file's bytes in so many milliseconds. */
const REPORT_EVERY = 200;
/** How often files that another process holds are looked at. */
const LOOK_EVERY = 300;

/**
 * Fetches the needed files of a repository that are not there yet. Ends with all of them checked, or throws: a
 * StepVideoError that names the file or address. Whatever was fetched is kept for the next call.
 */
export async function pullSnapshot(hub: Hub, options: SnapshotOptions): Promise<Snapshot> {
  const { repository, revision = hub.defaultRevision, only, texts = new Map(), onEvent = () => {} } = options;
  const stopping = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stopping.signal]) : stopping.signal;
  const http = openHttp({ ...options, headers: hub.headers, tokenHint: hub.tokenHint, signal });
  try {
    const listing = await hub.list(repository, revision, http);
    const files = neededFiles(repository, listing.files, only);
    const store = hub.store(repository, listing);
    const plan = await look({ store, signal, onEvent }, files);
    const missing = plan.reduce((sum, { file, received }) => sum + file.size - received, 0);
    await requireSpace(store.folder, missing);
    const shown = plan.map(({ file: { path, size }, received }) => ({ path, size, received }));
    onEvent({ type: 'start', hub: hub.name, repository, revision: listing.commit, files: shown, missing });
    const urlOf = (file: HubFile): string => hub.fileUrl(repository, listing.commit, file.path);
    const wanted = plan.flatMap(({ file, isThere }) => (isThere ? [] : [file]));
    const fail = (error: unknown): void => stopping.abort(error);
    const job: Job = { ...options, store, http, urlOf, signal, fail, onEvent, fetched: 0 };
    await fetchAll(job, wanted);
    const added = [...texts].filter(([path]) => !listing.files.some((file) => file.path === path));
    await store.publish(files, new Map(added)).catch((error) => {
      throw writingError(store.directory, error);
    });
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    return { directory: store.directory, revision: listing.commit, files: files.length, bytes, fetched: job.fetched };
  } catch (error) {
    // The first failure ends everything else, whose own errors then say no more than that.
    throw stoppedBy(options.signal) ?? (stopping.signal.aborted ? stopping.signal.reason : error);
  } finally {
    await http.close();
  }
}

type Job = Pick<SnapshotOptions, 'rangeBytes' | 'connections' | 'filesAtOnce'> & {
  store: Store;
  http: Http;
  urlOf(file: HubFile): string;
  signal: AbortSignal;
  /** Ends everything because of `error`. */
  fail(error: unknown): void;
  onEvent(event: PullEvent): void;
  fetched: number;
};

const partOf = (store: Store, file: HubFile): string => `${store.checked(file)}.part`;

/** A file without a hash could be another version of itself: its bytes are not kept between runs. */
const keyOf = ({ sha256, gitSha1, size }: HubFile): PartKey => ({ id: sha256 ?? gitSha1 ?? randomUUID(), size });

/** What is there of each file. */
async function look({ store, signal, onEvent }: Pick<Job, 'store' | 'signal' | 'onEvent'>, files: readonly HubFile[]) {
  const plan: { file: HubFile; isThere: boolean; received: number }[] = [];
  for (const file of files) {
    const onHash = (): void => onEvent({ type: 'verify', path: file.path, size: file.size });
    const isThere = await store.has(file, { signal, onHash });
    const received = isThere ? file.size : lengthOf(await partDone(partOf(store, file), keyOf(file)));
    plan.push({ file, isThere, received });
  }
  return plan;
}

/** Fetches `files`, several at once; those that another process is fetching are left to it and waited for. */
async function fetchAll(job: Job, files: readonly HubFile[]): Promise<void> {
  const { store, signal, fail, onEvent, filesAtOnce = 4 } = job;
  const waiting = new Set(files);
  const told = new Map<HubFile, number>();
  const worker = async (): Promise<void> => {
    while (waiting.size > 0 && !signal.aborted) {
      const taken = await takeOne(job, waiting);
      if (taken === undefined) {
        for (const file of waiting) {
          const received = lengthOf(await partDone(partOf(store, file), keyOf(file)));
          if (told.get(file) !== received) onEvent({ type: 'wait', path: file.path, received, size: file.size });
          told.set(file, received);
        }
        await sleep(LOOK_EVERY, undefined, { signal }).catch(() => {});
        continue;
      }
      await fetchFile(job, taken.file).finally(() => taken.lock.release());
    }
  };
  await inParallel(filesAtOnce, Array(filesAtOnce).fill(undefined), worker, { signal, onFailure: fail });
}

/** The first file of `waiting` that nobody holds, out of the set and locked. */
async function takeOne({ store }: Job, waiting: Set<HubFile>): Promise<{ file: HubFile; lock: Lock } | undefined> {
  for (const file of [...waiting]) {
    const path = `${partOf(store, file)}.lock`;
    const lock = await mkdir(dirname(path), { recursive: true })
      .then(() => tryLock(path))
      .catch((error) => {
        throw writingError(path, error);
      });
    if (lock === undefined) continue;
    if (waiting.delete(file)) return { file, lock };
    await lock.release();
  }
  return undefined;
}

/** One file from where it stands to checked, under its lock. */
async function fetchFile(job: Job, file: HubFile): Promise<void> {
  const { store, http, signal, fail, onEvent, rangeBytes = 64 * 2 ** 20, connections = 4 } = job;
  const { path, size } = file;
  if (await store.has(file)) return onEvent({ type: 'file', path, size, check: 'another process' });
  const partPath = partOf(store, file);
  try {
    const part = await openPart(partPath, keyOf(file));
    const before = part.received();
    const report = atMostEvery(REPORT_EVERY, () =>
      onEvent({ type: 'progress', path, received: part.received(), size }),
    );
    let sawVersions = false;
    try {
      const onFailure = (error: unknown): void => fail(writingError(partPath, error));
      const ranges = { rangeBytes, connections, signal, onBytes: report, onFailure };
      const transfer = { http, url: job.urlOf(file), file, part, ...ranges };
      ({ sawVersions } = await fetchMissing(transfer));
    } finally {
      job.fetched += part.received() - before;
      await part.close();
    }
    onEvent({ type: 'verify', path, size });
    const verdict = await verify(partPath, file, signal);
    if (!matches(verdict)) throw wrongContent(file, verdict, sawVersions);
    await finishPart(partPath, store.checked(file)).catch(async (error) => {
      if (!(await store.has(file))) throw error;
    });
    onEvent({ type: 'file', path, size, check: verdict.check });
  } catch (error) {
    // Bytes of another version, or wrong ones, must not be gone on from.
    if (error instanceof ChangedFile) await removePart(partPath);
    const told = writingError(partPath, error);
    fail(told);
    throw told;
  }
}

function wrongContent(file: HubFile, { check, expected, found }: Verdict, sawVersions: boolean): ChangedFile {
  const rule = `${file.path} must have the ${check} ${expected}`;
  const hint = sawVersions
    ? 'running it again: the file changed while it was fetched'
    : 'running it again, or another --from; what came is removed';
  return new ChangedFile('data', OP, rule, found, hint);
}

function atMostEvery(milliseconds: number, call: () => void): () => void {
  let last = 0;
  return () => {
    const now = Date.now();
    if (now - last < milliseconds) return;
    last = now;
    call();
  };
}
