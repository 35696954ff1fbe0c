/**
 * HTTP as a hub is spoken to: proxies of the environment, patience with slow answers, repeated tries, one error for
 * each way in which an answer is not what was asked for. Knows statuses; does not know paths or listings.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { EnvHttpProxyAgent, fetch, type RequestInit, type Response } from 'undici';
import { inputError, StepVideoError } from '../errors.ts';
import { OP } from './hub.ts';

const API_RETRIES = 3;

/** A fault that may pass: worth another try. `afterMs`: how long the server asked to be left alone. */
export class PassingFault extends Error {
  readonly afterMs: number | undefined;

  constructor(message: string, afterMs?: number) {
    super(message);
    this.afterMs = afterMs;
  }
}

export type HttpOptions = {
  headers: Readonly<Record<string, string>>;
  /** What to do about a refused token. */
  tokenHint: string;
  /** Milliseconds without a byte before a connection counts as dead; also the time that a slow start may take. */
  patience?: number | undefined;
  /** Tries in a row that may fail. */
  retries?: number | undefined;
  /** First pause between tries in milliseconds, doubled each time up to a minute. */
  pause?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Where proxies are named: HTTP_PROXY, HTTPS_PROXY, NO_PROXY, in small letters too. The process's when absent. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
};

export type Http = {
  /** One request. @throws PassingFault, or StepVideoError where another try would not help. Redirects are followed. */
  request(url: string, headers?: Record<string, string>): Promise<Response>;
  /**
   * Runs `attempt` until it succeeds or has failed `retries` times in a row. It says `progress()` when it got somewhere,
   * which forgives earlier faults.
   */
  retry<T>(url: string, attempt: (progress: () => void) => Promise<T>, retries?: number): Promise<T>;
  /** A GET that must answer JSON, repeated a few times: someone waits before anything is seen to happen. */
  json(url: string): Promise<Response>;
  close(): Promise<void>;
};

/** Opens connections lazily; `close` when done. */
export function openHttp(options: HttpOptions): Http {
  const { patience = 60_000, retries = 6, pause = 500, signal, tokenHint } = options;
  const dispatcher = new EnvHttpProxyAgent({
    connect: { timeout: patience },
    headersTimeout: patience,
    bodyTimeout: patience,
    ...proxiesOf(options.env ?? process.env),
  });
  const http: Http = {
    async request(url, headers = {}) {
      const all = { 'user-agent': 'step-video', 'accept-encoding': 'identity', ...options.headers, ...headers };
      const init: RequestInit = { headers: all, dispatcher, ...(signal && { signal }) };
      const response = await fetch(url, init).catch((error) => {
        throw stoppedBy(signal) ?? new PassingFault(reasonOf(error));
      });
      if (response.ok) return response;
      // Read to the end, so that the connection can serve the next request.
      const said = await response.text().catch(() => '');
      throw statusError(url, response, said, tokenHint);
    },
    async retry(url, attempt, most = retries) {
      let failures = 0;
      for (;;) {
        try {
          return await attempt(() => {
            failures = 0;
          });
        } catch (error) {
          const stopped = stoppedBy(signal);
          if (stopped) throw stopped;
          if (!(error instanceof PassingFault)) throw error;
          failures += 1;
          if (failures > most) {
            const hint = 'running it again, which goes on from here';
            throw new StepVideoError('environment', OP, `${url} must be reachable`, error.message, hint, error);
          }
          const wait = Math.min(60_000, Math.max(pause * 2 ** (failures - 1), error.afterMs ?? 0));
          await sleep(wait, undefined, signal ? { signal } : {}).catch(() => {});
        }
      }
    },
    json(url) {
      const attempt = async (): Promise<Response> => {
        const response = await http.request(url, { accept: 'application/json' });
        const type = response.headers.get('content-type') ?? 'no content type';
        if (/\bjson\b/.test(type)) return response;
        await response.body?.cancel();
        throw notTheHub(url, type);
      };
      return http.retry(url, attempt, Math.min(retries, API_RETRIES));
    },
    close: () => dispatcher.close(),
  };
  return http;
}

function proxiesOf(env: NonNullable<HttpOptions['env']>) {
  const named = (name: string): string => env[name.toLowerCase()] ?? env[name] ?? '';
  return { httpProxy: named('HTTP_PROXY'), httpsProxy: named('HTTPS_PROXY'), noProxy: named('NO_PROXY') };
}

/** The error for an answer that some other server gave: a login page, a company's proxy, a wrong address. */
export function notTheHub(url: string, type: string): StepVideoError {
  const got = /html/.test(type) ? 'an HTML page' : type;
  const rule = `${url} must be answered by a model hub`;
  return new StepVideoError('environment', OP, rule, got, 'another --from, or signing in to this network');
}

/** The error that a cancelled command ends with, if `signal` has fired. */
export function stoppedBy(signal: AbortSignal | undefined): StepVideoError | undefined {
  if (!signal?.aborted) return undefined;
  return new StepVideoError(
    'aborted',
    OP,
    'stopped; what was fetched is kept, and the same command goes on from there',
  );
}

/** What the network said, as one line. */
export function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  return cause instanceof Error && cause.message !== '' ? cause.message : message;
}

function statusError(url: string, response: Response, said: string, tokenHint: string): Error {
  const { status } = response;
  const got = `HTTP status ${status}${/^\s*</.test(said) || said.trim() === '' ? '' : `: ${said.trim().slice(0, 160)}`}`;
  // A signed address that a redirect led to may have expired: the next try gets a new one.
  const elsewhere = new URL(response.url).origin !== new URL(url).origin;
  if (status >= 500 || status === 408 || status === 429 || (status === 403 && elsewhere)) {
    return new PassingFault(got, 1000 * (Number(response.headers.get('retry-after')) || 0));
  }
  if (status === 401 || status === 403) {
    const rule = `${url} must be public, or open to your token`;
    return new StepVideoError('environment', OP, rule, got, tokenHint);
  }
  if (status === 404) return inputError(OP, `${url} must exist`, got, 'checking the name, or another --from');
  if (status === 416) return new StepVideoError('data', OP, `${url} must not change while it is fetched`, got);
  return new StepVideoError('environment', OP, `${url} must be downloadable`, got);
}
