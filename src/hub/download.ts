/**
 * The missing bytes of one file: ranges over several connections into its part file, each taken up where it broke off.
 * Checks that every answer is the range that was asked for; does not check the content.
 */
import type { Response } from 'undici';
import { StepVideoError } from '../errors.ts';
import { type Http, notTheHub, PassingFault, reasonOf } from './http.ts';
import { type HubFile, OP } from './hub.ts';
import { type Interval, splitIntervals } from './intervals.ts';
import { inParallel } from './parallel.ts';
import type { PartFile } from './part-file.ts';

export type Transfer = {
  http: Http;
  url: string;
  file: HubFile;
  part: PartFile;
  /** Most bytes of one request. */
  rangeBytes: number;
  connections: number;
  signal: AbortSignal;
  /** Hears of bytes that have arrived. */
  onBytes(): void;
  /** Hears of the first failure while other ranges are still under way; should fire `signal`. */
  onFailure(error: unknown): void;
};

/**
 * Fetches what `part` misses.
 * @returns whether the hub named different versions in its answers; the hash then says which bytes came.
 * @throws StepVideoError where the file is gone, changed its size or stays unreachable. What came is in the part file.
 */
export async function fetchMissing(transfer: Transfer): Promise<{ sawVersions: boolean }> {
  const versions = new Set<string>();
  const pieces = splitIntervals(transfer.part.missing(), transfer.rangeBytes);
  await inParallel(transfer.connections, pieces, (piece) => fetchPiece(transfer, piece, versions), transfer);
  return { sawVersions: versions.size > 1 };
}

async function fetchPiece(transfer: Transfer, [start, end]: Interval, versions: Set<string>): Promise<void> {
  const { http, url, file, part, onBytes } = transfer;
  let at = start;
  let furthest = start;
  const isWhole = start === 0 && end === file.size;
  await http.retry(url, async (progress) => {
    if (at === end) return; // the fault came after the last byte
    const range = isWhole && at === 0 ? undefined : `bytes=${at}-${end - 1}`;
    const response = await http.request(url, range === undefined ? {} : { range });
    try {
      if (response.status === 200 && isWhole && at > 0) {
        // A server without ranges: from the start again.
        at = 0;
        part.forget();
      }
      requireAnswer(url, response, file, at, isWhole);
      const version = response.headers.get('etag');
      if (version !== null) versions.add(version);
      for await (const bytes of chunks(response)) {
        if (at + bytes.length > end) throw changed(file, 'more bytes than that');
        await part.write(bytes, at);
        at += bytes.length;
        onBytes();
        // Bytes that come again, from a server without ranges, are no progress.
        if (at > furthest) progress();
        furthest = Math.max(furthest, at);
      }
    } finally {
      await response.body?.cancel().catch(() => {});
    }
    if (at < end) throw new PassingFault(`a connection closed after ${at - start} of ${end - start} bytes`);
  });
}

/** Chunks of a body; a cut or silent connection is a fault that may pass. */
async function* chunks({ body }: Response): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error) => {
        throw new PassingFault(reasonOf(error));
      });
      if (done) return;
      yield value;
    }
  } finally {
    reader.releaseLock();
  }
}

function requireAnswer(url: string, response: Response, file: HubFile, at: number, isWhole: boolean): void {
  const { headers, status } = response;
  const type = headers.get('content-type') ?? '';
  if (/html/.test(type)) throw notTheHub(url, type);
  if (status === 206) {
    const range = headers.get('content-range') ?? 'no content-range';
    const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(range);
    if (match && match[2] !== '*' && Number(match[2]) !== file.size) throw changed(file, `${match[2]} bytes`);
    if (match && Number(match[1]) === at) return;
    throw new StepVideoError('environment', OP, `${url} must answer with the range from byte ${at}`, range);
  }
  if (!isWhole) {
    const rule = `${url} must answer ranges of a file`;
    throw new StepVideoError('environment', OP, rule, `HTTP status ${status}`, 'another --from');
  }
  const length = headers.get('content-length');
  if (length !== null && headers.get('content-encoding') === null && Number(length) !== file.size) {
    throw changed(file, `${length} bytes`);
  }
}

/** A file that is another one than the listing said. Its part is of no use. */
export class ChangedFile extends StepVideoError {}

const changed = (file: HubFile, got: string): ChangedFile => {
  const rule = `${file.path} must stay as it is listed, ${file.size} bytes, while it is fetched`;
  return new ChangedFile('data', OP, rule, got, 'running it again, for the new version');
};
